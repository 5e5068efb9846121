;; title: asks for the validity of rows that do not exist
;; class: border
;; expect: ended bad_host_call
;;
;; The word before it is half there: bits beyond the last row are 0.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (if (i64.ne (call $validity_word (i32.const 0) (i32.sub (local.get $rows) (i32.const 3))) (i64.const 7))
    (then (return (i32.const 1))))
  (i32.wrap_i64 (call $validity_word (i32.const 0) (local.get $rows))))
