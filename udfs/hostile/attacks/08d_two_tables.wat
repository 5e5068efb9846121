;; title: two tables that are too large together
;; class: memory
;; expect: refused initial_table
;;
;; Each by itself is within the limit.
(memory (export "memory") 1)
(table {{table_elements_over_half}} funcref)
(table {{table_elements_over_half}} funcref)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
