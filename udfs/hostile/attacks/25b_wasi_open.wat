;; title: imports the system's open, by an old name of the system
;; class: upload
;; expect: refused wasi_import
;;
;; A list of what is forbidden has gaps; this must fail since it is not on the list of what is allowed.
(import "wasi_unstable" "path_open"
  (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
