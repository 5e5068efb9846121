;; title: records what no sum survives
;; class: speech
;; expect: answered
;; kind: metrics
;;
;; One NaN in a sum, and it is NaN until the process ends.
(memory (export "memory") 1)
(data (i32.const 0) "\01\00\00\00l")
;; 1 and infinity.
(data (i32.const 16) "\00\00\00\00\00\00\f0\3f\00\00\00\00\00\00\f0\7f")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $counter i32) (local $gauge i32) (local $histogram i32)
  (local.set $counter (call $metric_series (i32.const 0) (i32.const 0) (i32.const 5)))
  (local.set $gauge (call $metric_series (i32.const 1) (i32.const 0) (i32.const 0)))
  (local.set $histogram (call $metric_series (i32.const 2) (i32.const 0) (i32.const 5)))
  (call $is (i32.const 1) (call $metric_record (local.get $counter) (f64.const nan)) (i32.const -8))
  (call $is (i32.const 2) (call $metric_record (local.get $counter) (f64.const -nan:0x123)) (i32.const -8))
  (call $is (i32.const 3) (call $metric_record (local.get $counter) (f64.const inf)) (i32.const -8))
  (call $is (i32.const 4) (call $metric_record (local.get $counter) (f64.const -1e-300)) (i32.const -8))
  (call $is (i32.const 5) (call $metric_record (local.get $gauge) (f64.const -inf)) (i32.const -8))
  (call $is (i32.const 6) (call $metric_record (local.get $histogram) (f64.const nan)) (i32.const -8))
  (call $is (i32.const 7) (call $metric_record_column (local.get $histogram) (i32.const 16) (i32.const 2)) (i32.const -8))
  (call $is (i32.const 8) (call $metric_record_column (local.get $counter) (i32.const 16) (i32.const 2)) (i32.const -8))
  ;; Sums beyond all numbers stay numbers.
  (call $is (i32.const 9) (call $metric_record (local.get $counter) (f64.const 0x1.fffffffffffffp+1023)) (i32.const 0))
  (call $is (i32.const 10) (call $metric_record (local.get $counter) (f64.const 0x1.fffffffffffffp+1023)) (i32.const 0))
  (call $is (i32.const 11) (call $metric_record (local.get $histogram) (f64.const -0x1.fffffffffffffp+1023)) (i32.const 0))
  (call $is (i32.const 12) (call $metric_record (local.get $histogram) (f64.const -0x1.fffffffffffffp+1023)) (i32.const 0))
  (call $is (i32.const 13) (call $metric_record (local.get $gauge) (f64.const -1)) (i32.const 0))
  (global.get $wrong))
