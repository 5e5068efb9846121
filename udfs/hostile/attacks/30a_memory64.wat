;; title: a memory of 64-bit addresses
;; class: upload
;; expect: refused invalid_wasm
;;
;; A proposal that is off is code of compiler and host that nothing here tests.
(memory (export "memory") i64 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
