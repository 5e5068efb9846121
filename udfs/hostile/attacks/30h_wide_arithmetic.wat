;; title: 128-bit arithmetic
;; class: upload
;; expect: refused invalid_wasm
;;
;; A proposal that is off.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (i64.mul_wide_u (i64.const 1) (i64.const 2)) drop drop (i32.const 0))
