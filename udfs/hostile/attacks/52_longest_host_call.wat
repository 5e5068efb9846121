;; title: the longest call that the host can be made to do, over and over
;; class: cpu
;; expect: ended out_of_fuel deadline
;; kind: metrics
;;
;; While a host function runs, neither fuel nor a deadline ends it: what one call may do must be bounded by what the guest
;; hands in. Here that is all of its memory as values of a histogram.
(memory (export "memory") 1)
(data (i32.const 0) "\00\00\00\00")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $series i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 1024)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (local.set $series (call $metric_series (i32.const 2) (i32.const 0) (i32.const 4)))
  (loop $again
    (drop (call $metric_record_column (local.get $series) (i32.const 0) (i32.shl (memory.size) (i32.const 13))))
    (br $again))
  (i32.const 0))
