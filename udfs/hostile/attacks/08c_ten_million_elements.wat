;; title: begins with a table of ten million elements
;; class: memory
;; expect: refused initial_table
;;
;; More than any slot of a pool holds.
(memory (export "memory") 1)
(table 10000000 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
