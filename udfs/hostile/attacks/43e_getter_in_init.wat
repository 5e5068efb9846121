;; title: gets a value in its init
;; class: border
;; expect: ended bad_host_call
;;
;; There is no batch yet, or an earlier one's.
(memory (export "memory") 1)
(func (export "weir_init_f") (result i32) (i32.wrap_i64 (call $get_i64 (i32.const 0) (i32.const 0))))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
