;; title: calls itself for ever
;; class: memory
;; expect: ended stack_overflow
;;
;; A guest runs on a stack of the host: beyond its end lies what is not the guest's.
(memory (export "memory") 1)
(func $deep (param $rows i32) (result i32) (i32.add (call $deep (local.get $rows)) (i32.const 1)))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $deep (local.get $rows)))
