;; title: ends with last words that forge a line
;; class: speech
;; expect: ended unreachable
;;
;; They stand in the error that the platform's operator reads.
(memory (export "memory") 1)
(data (i32.const 0) "sorry\n2026-01-01 ERROR tenant victim: \1b[31mall is lost\e2\80\ae")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (drop (call $last_words (i32.const 0) (i32.const 57)))
  (unreachable))
