;; title: loops for ever over divisions and vectors
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; The slowest instructions there are, at one unit of fuel each: what fuel buys in time is at its most here.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $x f64) (local $v v128) (local $i i64)
  (local.set $x (f64.const 3))
  (local.set $i (i64.const 0x7fffffffffffffff))
  (loop $again
    (local.set $x (f64.sqrt (f64.div (local.get $x) (f64.const 1.0000001))))
    (local.set $v (f64x2.sqrt (f64x2.div (local.get $v) (f64x2.splat (local.get $x)))))
    (local.set $i (i64.div_s (local.get $i) (i64.const 3)))
    (br $again))
  (i32.const 0))
