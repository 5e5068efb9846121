;; title: an import whose name forges a line
;; class: upload
;; expect: refused unknown_import
;;
;; The refusal is shown to whoever uploads, and stands in the host's log.
(import "weir_v1\1b[2J" "get\n2026-01-01 ERROR all is lost \e2\80\ae" (func))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
