;; title: exports a host function as its own
;; class: upload
;; expect: refused export_type
;;
;; The host would call itself, with no guest between that fuel or a deadline could end.
(export "weir_call_f" (func $emit_filter))
(memory (export "memory") 1)
