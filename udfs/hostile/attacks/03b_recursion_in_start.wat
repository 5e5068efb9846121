;; title: calls itself for ever in its start function
;; class: memory
;; expect: ended stack_overflow
;;
;; The stack must be guarded before the first instruction of a guest runs.
(memory (export "memory") 1)
(start $deep)
(func $deep (call $deep) (call $deep))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
