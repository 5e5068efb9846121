;; title: exports a global in place of its function
;; class: upload
;; expect: refused export_type
;;
;; The name is there, and the thing is not.
(memory (export "memory") 1)
(global (export "weir_call_f") i32 (i32.const 0))
