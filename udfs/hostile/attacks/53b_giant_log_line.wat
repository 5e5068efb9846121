;; title: logs all of its memory as one line
;; class: speech
;; expect: answered
;;
;; Of characters that become six each when they are escaped.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (memory.fill (i32.const 0) (i32.const 0x1b) (i32.const 131072))
  (call $is (i32.const 1) (call $log (i32.const 1) (i32.const 0) (i32.const 131072)) (i32.const 0))
  (call $is (i32.const 2) (call $last_words (i32.const 0) (i32.const 131072)) (i32.const 0))
  (call $is (i32.const 3) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
