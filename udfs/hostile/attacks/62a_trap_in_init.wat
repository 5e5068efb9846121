;; title: traps in its init
;; class: life
;; expect: ended unreachable
;;
;; What is never ready must not be tried for ever.
(memory (export "memory") 1)
(func (export "weir_init_f") (result i32) (unreachable))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
