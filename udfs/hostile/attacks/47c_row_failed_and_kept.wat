;; title: fails a row and keeps it too
;; class: border
;; expect: ended malformed_output
;; kind: fallible filter
;;
;; It would go on and to the dead letters: twice.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $row_error (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 2) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
