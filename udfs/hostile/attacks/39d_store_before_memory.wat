;; title: writes beyond its memory, where its neighbour's would be
;; class: border
;; expect: ended out_of_bounds
;;
;; Slots of a pool lie side by side.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (i64.store (i32.const 0x80000000) (i64.const -1))
  (i32.const 0))
