;; title: reads beyond its memory by itself
;; class: border
;; expect: ended out_of_bounds
;;
;; No host function is asked: the guard around a memory must hold.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.load (i32.const 65533)))
