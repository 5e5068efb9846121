;; title: a manifest with a key that is not known
;; class: upload
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"transform","output_shape":"filter","limits":{"memory_bytes_max":4294967296}}
;;
;; Whatever a guest says of itself, it does not say what it may.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
