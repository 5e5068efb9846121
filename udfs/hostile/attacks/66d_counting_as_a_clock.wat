;; title: counts in a loop, to time what the host does meanwhile
;; class: life
;; expect: answered
;;
;; Without threads nothing counts while something else runs: a loop before and after a host call counts the same in
;; every batch, and on every machine.
(memory (export "memory") 1)
(global $first (mut i32) (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $count i32)
  (loop $again
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $count) (i32.const 10000))))
  (drop (call $window (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 1024)))
  (if (i32.eqz (global.get $first)) (then (global.set $first (local.get $count))))
  (call $is (i32.const 1) (local.get $count) (global.get $first))
  (call $is (i32.const 2) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
