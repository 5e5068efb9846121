;; title: new label values without end
;; class: speech
;; expect: answered
;; kind: metrics
;;
;; Each series is memory of the host and of whatever scrapes it. Beyond the limit all share one.
(memory (export "memory") 1)
(data (i32.const 0) "\04\00\00\00")
(func $series (param $number i32) (result i32)
  (local $digit i32)
  ;; Four letters out of the number.
  (loop $more
    (i32.store8 offset=4 (local.get $digit) (i32.add (i32.const 0x61) (i32.and (local.get $number) (i32.const 15))))
    (local.set $number (i32.shr_u (local.get $number) (i32.const 4)))
    (local.set $digit (i32.add (local.get $digit) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $digit) (i32.const 4))))
  (call $metric_series (i32.const 0) (i32.const 0) (i32.const 8)))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $number i32) (local $handle i32) (local $over i32)
  (loop $again
    (local.set $handle (call $series (local.get $number)))
    (call $is (i32.const 1) (i32.lt_s (local.get $handle) (i32.const 0)) (i32.const 0))
    (drop (call $metric_record (local.get $handle) (f64.const 1)))
    (local.set $number (i32.add (local.get $number) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $number) (i32.const {{series_over}}))))
  ;; Two that are new and beyond it are the same; the first is still its own; a metric without labels gets its series.
  (local.set $over (call $series (i32.const 65534)))
  (call $is (i32.const 2) (call $series (i32.const 65535)) (local.get $over))
  (call $is (i32.const 3) (i32.ne (call $series (i32.const 0)) (local.get $over)) (i32.const 1))
  (call $is (i32.const 4)
    (call $metric_record (call $metric_series (i32.const 1) (i32.const 0) (i32.const 0)) (f64.const 1)) (i32.const 0))
  (global.get $wrong))
