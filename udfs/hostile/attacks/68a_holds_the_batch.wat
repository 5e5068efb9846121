;; title: reads some of a batch, and keeps the instance for the next
;; class: life
;; expect: answered
;; kind: filter_map
;;
;; Columns that an instance holds on to between batches are batches that never end.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $window (i32.const 0) (i32.const 0) (i32.const 10) (i32.const 1024)) (i32.const 10))
  (call $is (i32.const 2) (call $get_bytes (i32.const 1) (i32.const 999) (i32.const 2048) (i32.const 64)) (i32.const 10))
  ;; Keeps the first row only.
  (i32.store (i32.const 0) (i32.const 1))
  (call $is (i32.const 3) (call $emit_filter (i32.const 0) (local.get $rows)) (i32.const 0))
  (call $is (i32.const 4) (call $emit_column (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 0)) (i32.const 0))
  (global.get $wrong))
