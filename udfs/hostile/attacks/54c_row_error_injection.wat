;; title: fails rows with messages that break lines
;; class: speech
;; expect: answered
;; kind: fallible filter
;;
;; They stand in dead letters, a line each.
(memory (export "memory") 1)
(data (i32.const 1024) "no\",\"tenant\":\"victim\"}\n{\1b[31m\e2\80\ae")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $row_error (i32.const 0) (i32.const -7) (i32.const 1024) (i32.const 32)) (i32.const 0))
  (call $is (i32.const 2) (call $emit_filter (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
