;; title: grows its memory between windows, and has the new page written to
;; class: border
;; expect: answered
;;
;; A host that kept where a memory begins, or how long it is, writes to where it was.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $old i32)
  (local.set $old (i32.shl (memory.size) (i32.const 16)))
  (call $is (i32.const 1) (call $window (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0)) (i32.const 4))
  (call $is (i32.const 2) (call $window (i32.const 0) (i32.const 0) (i32.const 4) (local.get $old)) (i32.const -4))
  (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
    (then (local.set $old (i32.const 65536))))
  ;; Across what was the end.
  (call $is (i32.const 3)
    (call $window (i32.const 0) (i32.const 0) (i32.const 4) (i32.sub (local.get $old) (i32.const 16))) (i32.const 4))
  (call $is (i32.const 4) (i32.load (local.get $old)) (i32.const 2))
  (call $is (i32.const 5) (i32.load offset=8 (local.get $old)) (i32.const 3))
  ;; What was read before is still where it was.
  (call $is (i32.const 6) (i32.load (i32.const 24)) (i32.const 3))
  (call $is (i32.const 7) (call $keep_all (i32.const 1024) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
