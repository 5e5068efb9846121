;; title: fills beyond the end of its memory
;; class: cpu
;; expect: ended out_of_bounds
;;
;; Nothing is written of what does not fit as a whole.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (memory.fill (i32.const 65535) (i32.const 0xff) (i32.const 131072))
  (i32.const 0))
