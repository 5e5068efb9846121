;; title: asks for a version of the contract that is not there
;; class: upload
;; expect: refused manifest
;; manifest: {"abi":2,"name":"f","kind":"transform","output_shape":"filter"}
;;
;; Run as version 1, its numbers would mean something else.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
