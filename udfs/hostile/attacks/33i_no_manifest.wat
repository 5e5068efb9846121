;; title: has no manifest
;; class: upload
;; expect: refused no_manifest
;;
;; Nothing says what it reads and writes.
;; bare
(module (memory (export "memory") 1)
  (func (export "weir_call_f") (param i32) (result i32) (i32.const 0)))
