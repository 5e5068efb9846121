;; title: asks for a parameter that it did not declare
;; class: border
;; expect: ended bad_host_call
;;
;; Parameters of a query's other stages stand beside.
(memory (export "memory") 1)
(func (export "weir_init_f") (result i32) (i32.wrap_i64 (call $param_i64 (i32.const 3))))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
