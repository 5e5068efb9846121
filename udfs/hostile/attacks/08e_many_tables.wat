;; title: more tables than a slot holds
;; class: memory
;; expect: refused shape_limit
;;
;; Each of them empty, so that elements are not what limits them.
(memory (export "memory") 1)
(table 0 funcref) (table 0 funcref) (table 0 funcref) (table 0 funcref) (table 0 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
