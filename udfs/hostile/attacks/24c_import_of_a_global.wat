;; title: imports a mutable global
;; class: upload
;; expect: refused import_kind
;;
;; A word between tenants.
(import "weir_v1" "state" (global $state (mut i64)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
