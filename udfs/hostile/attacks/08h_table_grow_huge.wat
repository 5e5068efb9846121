;; title: grows a table by four thousand million elements
;; class: memory
;; expect: ended out_of_fuel failed
;;
;; As with `memory.fill`: it is charged for, or it is refused, and then the guest says so.
(memory (export "memory") 1)
(table $t 1 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (table.grow $t (ref.null func) (i32.const -1)))
