;; title: imports a clock
;; class: upload
;; expect: refused unknown_import
;;
;; To time its neighbours, and to answer otherwise when it is run again.
(import "weir_v1" "now" (func $now (result i64)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.wrap_i64 (call $now)))
