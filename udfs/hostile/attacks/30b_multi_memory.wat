;; title: two memories
;; class: upload
;; expect: refused invalid_wasm
;;
;; A limit that is held for a memory is held for each.
(memory (export "memory") 1)
(memory 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
