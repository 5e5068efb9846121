;; title: exports its init with a parameter
;; class: upload
;; expect: refused export_type
;;
;; The optional half of the contract is as binding as the other.
(memory (export "memory") 1)
(func (export "weir_init_f") (param i32) (result i32) (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
