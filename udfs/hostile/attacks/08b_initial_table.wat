;; title: begins with a larger table than it may have
;; class: memory
;; expect: refused initial_table
;;
;; As with memory: nothing is grown.
(memory (export "memory") 1)
(table {{table_elements_over}} funcref)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
