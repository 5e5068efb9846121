;; title: exports a function called memory
;; class: upload
;; expect: refused export_type
;;
;; A host that unwraps what it finds by that name.
(memory 1)
(func (export "memory") (result i32) (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
