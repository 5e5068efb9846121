;; title: says its last words for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; 64 KiB each time, of which the host keeps 1 KiB.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (memory.fill (i32.const 0) (i32.const 0x1b) (i32.const 65536))
  (loop $again (drop (call $last_words (i32.const 0) (i32.const 65536))) (br $again))
  (i32.const 0))
