;; title: says that it is done, and has answered for half of its rows
;; class: border
;; expect: ended malformed_output
;;
;; Rows that nobody answers for are lost.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (drop (call $keep_all (i32.const 0) (i32.shr_u (local.get $rows) (i32.const 1))))
  (i32.const 0))
