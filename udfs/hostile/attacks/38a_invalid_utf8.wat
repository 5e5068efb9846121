;; title: hands in text that is none
;; class: border
;; expect: answered
;; kind: fallible map
;; output: t utf8
;;
;; Rust's text must be UTF-8 or its functions are undefined. Overlong forms, halves of pairs, and a character cut in
;; two are what a careless check lets through.
(memory (export "memory") 2)
(data (i32.const 16) "\ff\fe\c0\80\ed\a0\80\f5\80\80\80")
(data (i32.const 32) "\01\00\00\00\ff")
;; Two values, between which a character is cut: each is no text, though both together are.
(data (i32.const 48) "\c3\a9")
(data (i32.const 64) "\00\00\00\00\01\00\00\00\02\00\00\00")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $log (i32.const 1) (i32.const 16) (i32.const 2)) (i32.const -7))
  (call $is (i32.const 2) (call $log (i32.const 1) (i32.const 18) (i32.const 2)) (i32.const -7))
  (call $is (i32.const 3) (call $log (i32.const 1) (i32.const 20) (i32.const 3)) (i32.const -7))
  (call $is (i32.const 4) (call $log (i32.const 1) (i32.const 23) (i32.const 4)) (i32.const -7))
  (call $is (i32.const 5) (call $log (i32.const 1) (i32.const 48) (i32.const 1)) (i32.const -7))
  (call $is (i32.const 6) (call $last_words (i32.const 16) (i32.const 2)) (i32.const -7))
  (call $is (i32.const 7) (call $row_error (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 2)) (i32.const -7))
  (call $is (i32.const 8) (call $metric_series (i32.const 0) (i32.const 32) (i32.const 5)) (i32.const -7))
  (call $is (i32.const 9)
    (call $emit_bytes (i32.const 0) (i32.const 64) (i32.const 2) (i32.const 48) (i32.const 2) (i32.const 0))
    (i32.const -7))
  ;; Nothing was emitted so far: all rows are still to come, as empty text.
  (call $is (i32.const 10) (call $keep_all (i32.const 1024) (local.get $rows)) (i32.const 0))
  (call $is (i32.const 11)
    (call $emit_bytes (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0) (i32.const 0) (i32.const 0))
    (i32.const 0))
  (global.get $wrong))
