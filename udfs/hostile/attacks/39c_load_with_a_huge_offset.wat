;; title: reads 8 GiB beyond the start of its memory
;; class: border
;; expect: ended out_of_bounds
;;
;; Address and offset are 32 bits each: their sum is beyond what a reservation of 4 GiB covers.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (v128.any_true (v128.load offset=0xffffffff (i32.const -1))))
