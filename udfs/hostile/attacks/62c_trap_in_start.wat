;; title: traps in its start function
;; class: life
;; expect: ended unreachable
;;
;; While it is instantiated, when half of it is there.
(memory (export "memory") 1)
(start $start)
(func $start (unreachable))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
