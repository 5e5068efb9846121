;; title: a function called like a path
;; class: upload
;; expect: refused manifest
;; manifest: {"abi":1,"name":"../../etc/passwd","kind":"transform","output_shape":"filter"}
;;
;; Names of functions stand in file names, log lines and metrics.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
