;; title: fails a row twice
;; class: border
;; expect: answered
;; kind: fallible filter
;;
;; Counted twice, the accounts of the stage would not add up.
(memory (export "memory") 1)
(data (i32.const 1024) "no")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $row_error (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 2)) (i32.const 0))
  (call $is (i32.const 2) (call $row_error (i32.const 3) (i32.const 2) (i32.const 1024) (i32.const 2)) (i32.const -10))
  (call $is (i32.const 3) (call $emit_filter (i32.const 0) (local.get $rows)) (i32.const 0))
  (call $is (i32.const 4) (call $row_error (i32.const 3) (i32.const 2) (i32.const 1024) (i32.const 2)) (i32.const -10))
  (call $is (i32.const 5) (call $row_error (i32.const 4) (i32.const -1) (i32.const 1024) (i32.const 0)) (i32.const 0))
  (global.get $wrong))
