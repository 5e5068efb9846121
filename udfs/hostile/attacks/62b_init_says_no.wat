;; title: refuses in its init
;; class: life
;; expect: ended failed
;;
;; As before, politely.
(memory (export "memory") 1)
(data (i32.const 0) "not today")
(func (export "weir_init_f") (result i32)
  (drop (call $last_words (i32.const 0) (i32.const 9)))
  (i32.const -2147483648))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
