;; title: logs lines that break, colour and turn
;; class: speech
;; expect: answered
;;
;; A line's end in a log line is another line, of anybody; an escape sequence is a command to the terminal that shows it.
(memory (export "memory") 1)
(data (i32.const 1024) "ok\n2026-01-01 ERROR forged\r\n")
(data (i32.const 1100) "\1b]0;title\07\1b[2J\1b[31m\c2\9b31m")
(data (i32.const 1200) "\e2\80\ae\e2\80\8b\ef\bb\bf\00")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $log (i32.const 1) (i32.const 1024) (i32.const 28)) (i32.const 0))
  (call $is (i32.const 2) (call $log (i32.const 1) (i32.const 1100) (i32.const 24)) (i32.const 0))
  (call $is (i32.const 3) (call $log (i32.const 1) (i32.const 1200) (i32.const 10)) (i32.const 0))
  (call $is (i32.const 4) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
