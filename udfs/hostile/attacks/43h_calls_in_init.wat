;; title: reads and emits in its init
;; class: border
;; expect: answered
;; kind: fallible flat_map
;;
;; What is emitted before there is a batch would be the first batch's, or the end of the host.
(memory (export "memory") 1)
(func (export "weir_init_f") (result i32)
  (call $is (i32.const 1) (call $window (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)) (i32.const -10))
  (call $is (i32.const 2) (call $emit_parents (i32.const 0) (i32.const 1)) (i32.const -10))
  (call $is (i32.const 3) (call $emit_column (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)) (i32.const -10))
  (call $is (i32.const 4) (call $emit_filter (i32.const 0) (i32.const 1)) (i32.const -10))
  (call $is (i32.const 5) (call $row_error (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const -10))
  (call $is (i32.const 6)
    (call $metric_record (call $metric_series (i32.const 1) (i32.const 0) (i32.const 0)) (f64.const 1)) (i32.const -10))
  (call $is (i32.const 7) (call $get_bytes (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const -10))
  (call $is (i32.const 8)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 64) (i32.const 64)) (i32.const -10))
  (call $is (i32.const 9) (call $window_validity (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)) (i32.const -10))
  (global.get $wrong))
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
