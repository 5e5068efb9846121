;; title: imports a table
;; class: upload
;; expect: refused import_kind
;;
;; A table that another tenant's functions stand in.
(import "weir_v1" "table" (table 1 funcref))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
