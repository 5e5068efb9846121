;; title: copies a data segment in a loop
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; And the segment is dropped at last, and used once more: that is a trap.
(memory (export "memory") 1)
(data $d "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 64))
    (br $again))
  (i32.const 0))
