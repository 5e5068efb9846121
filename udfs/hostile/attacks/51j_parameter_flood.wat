;; title: reads its parameters for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; In its init, where only these may be called.
(memory (export "memory") 1)
(func (export "weir_init_f") (result i32)
  (loop $again
    (drop (call $param_i64 (i32.const 0)))
    (drop (call $param_f64 (i32.const 1)))
    (drop (call $param_bytes (i32.const 2) (i32.const 0) (i32.const 64)))
    (br $again))
  (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
