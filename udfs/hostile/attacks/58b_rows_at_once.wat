;; title: makes four thousand million rows in one piece
;; class: output
;; expect: answered
;; kind: flat_map
;;
;; A count of rows that the host would make room for before it looks.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $emit_parents (i32.const 0) (i32.const -1)) (i32.const -4))
  (call $is (i32.const 2) (call $emit_column (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0)) (i32.const -4))
  (global.get $wrong))
