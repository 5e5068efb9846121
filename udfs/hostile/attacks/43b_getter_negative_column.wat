;; title: gets a value of column -1
;; class: border
;; expect: ended bad_host_call
;;
;; A getter has no room for a status: the guest ends.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (i32.wrap_i64 (call $get_i64 (i32.const -1) (i32.const 0))))
