;; title: asks for table elements without end
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; As with memory, each refusal is the host's work.
(memory (export "memory") 1)
(table $t 1 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (table.grow $t (ref.null func) (i32.const 1000000)))
    (br $again))
  (i32.const 0))
