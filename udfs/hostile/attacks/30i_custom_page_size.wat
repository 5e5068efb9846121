;; title: a memory with pages of one byte
;; class: upload
;; expect: refused invalid_wasm
;;
;; Every bound that is counted in pages of 64 KiB would be wrong.
(memory (export "memory") 1000 (pagesize 1))
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
