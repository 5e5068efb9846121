;; title: grows several tables in turn
;; class: memory
;; expect: answered
;;
;; The limit is on the elements of all tables together.
(memory (export "memory") 1)
(table $a 0 funcref) (table $b 0 funcref) (table $c 0 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (drop (table.grow $a (ref.null func) (i32.const {{table_elements_over_half}})))
  (drop (table.grow $b (ref.null func) (i32.const {{table_elements_over_half}})))
  (drop (table.grow $c (ref.null func) (i32.const {{table_elements_over_half}})))
  (call $is (i32.const 1)
    (i32.gt_u (i32.add (i32.add (table.size $a) (table.size $b)) (table.size $c)) (i32.const {{table_elements_max}}))
    (i32.const 0))
  (call $is (i32.const 2) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
