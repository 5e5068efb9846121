;; title: exports its function with another type
;; class: upload
;; expect: refused export_type
;;
;; Called as what it is not, it would read what lies in registers.
(memory (export "memory") 1)
(func (export "weir_call_f") (param i64 i64) (result i64) (i64.const 0))
