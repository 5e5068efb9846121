;; title: a field whose name holds control characters
;; class: upload
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"transform","output_shape":"map","output":[{"name":"a\u001b[31m\nb","type":"i64"}]}
;;
;; Names of output fields become columns of files and headers of tables.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
