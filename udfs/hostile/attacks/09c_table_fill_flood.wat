;; title: fills and copies its table in a loop
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; Elements are not bytes: what is charged by the byte may not see them.
(memory (export "memory") 1)
(table $t 1 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1))))
  (loop $again
    (table.fill $t (i32.const 0) (ref.null func) (table.size $t))
    (table.copy $t $t (i32.const 0) (i32.const 1) (i32.sub (table.size $t) (i32.const 1)))
    (br $again))
  (i32.const 0))
