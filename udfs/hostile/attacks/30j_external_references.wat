;; title: a table of external references
;; class: upload
;; expect: refused invalid_wasm
;;
;; References to the host's own things, of which a guest has none to hold.
(memory (export "memory") 1)
(table 1 externref)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
