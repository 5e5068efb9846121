;; title: imports a host function with another type
;; class: upload
;; expect: refused import_type
;;
;; Called through the wrong type, a host function would take its arguments from wherever they are not.
(import "weir_v1" "get_i64" (func $other (param i64 i64) (result i64)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.wrap_i64 (call $other (i64.const 0) (i64.const 0))))
