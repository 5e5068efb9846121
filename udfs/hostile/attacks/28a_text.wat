;; title: hands in text
;; class: upload
;; expect: refused wasm_text
;;
;; This very file would be a module to a host that takes text: its parser is not made for strangers.
;; raw
(module (memory (export "memory") 1)
  (func (export "weir_call_f") (param i32) (result i32) (i32.const 0)))
