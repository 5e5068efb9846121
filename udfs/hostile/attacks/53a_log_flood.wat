;; title: logs more lines than it may
;; class: speech
;; expect: answered
;;
;; A log that fills a disk, or hides what was logged before.
(memory (export "memory") 1)
(data (i32.const 1024) "a line")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $lines i32)
  (loop $again
    (call $is (i32.const 1) (call $log (i32.const 3) (i32.const 1024) (i32.const 6)) (i32.const 0))
    (local.set $lines (i32.add (local.get $lines) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $lines) (i32.const {{log_lines_over}}))))
  (call $is (i32.const 2) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
