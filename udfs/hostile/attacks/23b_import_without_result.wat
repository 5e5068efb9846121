;; title: imports a host function without its result
;; class: upload
;; expect: refused import_type
;;
;; As before, at the other end.
(import "weir_v1" "log" (func $other (param i32 i32 i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
