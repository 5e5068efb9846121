;; title: imports a memory
;; class: upload
;; expect: refused import_kind
;;
;; A memory of the host's, shared with whoever else imports it.
;; bare
(module
  (import "weir_v1" "memory" (memory 1))
  (export "memory" (memory 0))
  (func (export "weir_call_f") (param i32) (result i32) (i32.const 0)))
