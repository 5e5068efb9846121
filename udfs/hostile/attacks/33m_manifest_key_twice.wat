;; title: a manifest that says its kind twice
;; class: upload
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"transform","output_shape":"filter","output_shape":"map","output":[]}
;;
;; Two readers of it would not agree which one counts.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
