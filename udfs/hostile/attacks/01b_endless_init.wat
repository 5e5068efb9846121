;; title: loops for ever in its init
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; Init runs before there is a batch: a host that meters batches only never gets to the first.
(memory (export "memory") 1)
(func (export "weir_init_f") (result i32)
  (loop $again (br $again))
  (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
