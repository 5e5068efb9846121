;; title: nothing, at the end of memory and one past it
;; class: border
;; expect: answered
;; kind: fallible map
;; output: o i64, t utf8
;;
;; The contract says that a range of nothing is valid up to the end, that included. One past it is not.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $end i32)
  (local $past i32)
  (local.set $end (i32.shl (memory.size) (i32.const 16)))
  (local.set $past (i32.add (local.get $end) (i32.const 1)))
  (call $is (i32.const 1) (call $log (i32.const 4) (local.get $end) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 2) (call $log (i32.const 4) (local.get $past) (i32.const 0)) (i32.const -4))
  (call $is (i32.const 3) (call $window (i32.const 0) (i32.const 0) (i32.const 0) (local.get $end)) (i32.const 0))
  (call $is (i32.const 4) (call $window (i32.const 0) (i32.const 0) (i32.const 0) (local.get $past)) (i32.const -4))
  (call $is (i32.const 5) (call $window (i32.const 0) (local.get $rows) (i32.const 0) (local.get $end)) (i32.const 0))
  (call $is (i32.const 6)
    (call $window (i32.const 0) (i32.add (local.get $rows) (i32.const 1)) (i32.const 0) (local.get $end)) (i32.const -2))
  (call $is (i32.const 7) (call $emit_filter (local.get $end) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 8) (call $emit_filter (local.get $past) (i32.const 0)) (i32.const -4))
  (call $is (i32.const 9) (call $emit_column (i32.const 0) (local.get $end) (i32.const 0) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 10) (call $emit_column (i32.const 0) (local.get $past) (i32.const 0) (i32.const 0)) (i32.const -4))
  (call $is (i32.const 11) (call $emit_column (i32.const 0) (local.get $end) (i32.const 0) (local.get $past)) (i32.const -4))
  (call $is (i32.const 12) (call $get_bytes (i32.const 1) (i32.const 0) (local.get $end) (i32.const 0)) (i32.const 8))
  (call $is (i32.const 13) (call $get_bytes (i32.const 1) (i32.const 0) (local.get $past) (i32.const 0)) (i32.const -4))
  (call $is (i32.const 14)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 0) (i32.sub (local.get $end) (i32.const 4)) (local.get $end) (i32.const 0))
    (i32.const 0))
  ;; No value, but the first offset is there all the same.
  (call $is (i32.const 15)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 0) (local.get $end) (local.get $end) (i32.const 0))
    (i32.const -4))
  (call $is (i32.const 16) (call $metric_record_column (call $metric_series (i32.const 1) (local.get $end) (i32.const 0)) (local.get $end) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 17) (call $metric_series (i32.const 1) (local.get $past) (i32.const 0)) (i32.const -4))
  (call $is (i32.const 18) (call $keep_all (i32.const 1024) (local.get $rows)) (i32.const 0))
  (call $is (i32.const 19) (call $emit_column (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 20)
    (call $emit_bytes (i32.const 1) (i32.const 65536) (local.get $rows) (local.get $end) (i32.const 0) (i32.const 0))
    (i32.const 0))
  (global.get $wrong))
