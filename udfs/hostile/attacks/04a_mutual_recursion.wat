;; title: two functions call each other for ever
;; class: memory
;; expect: ended stack_overflow
;;
;; What looks for functions that call themselves does not find it.
(memory (export "memory") 1)
(func $even (param $n i32) (result i32) (i32.add (call $odd (local.get $n)) (i32.const 1)))
(func $odd (param $n i32) (result i32) (i32.add (call $even (local.get $n)) (i32.const 1)))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $even (local.get $rows)))
