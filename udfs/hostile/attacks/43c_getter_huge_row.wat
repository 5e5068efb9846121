;; title: gets a value one row past the last
;; class: border
;; expect: ended bad_host_call
;;
;; The row there would be another tenant's, in a buffer that was sliced.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (i32.trunc_sat_f64_s (call $get_f64 (i32.const 2) (local.get $rows))))
