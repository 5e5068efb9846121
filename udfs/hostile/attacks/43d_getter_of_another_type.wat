;; title: gets a number out of text
;; class: border
;; expect: ended bad_host_call
;;
;; Its bytes would be pointers.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (i32.wrap_i64 (call $get_i64 (i32.const 1) (i32.const 0))))
