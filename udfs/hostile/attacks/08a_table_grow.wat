;; title: grows a table beyond what it may have
;; class: memory
;; expect: answered
;;
;; An element of a table costs the host eight bytes or more, which no limit on linear memory sees.
(memory (export "memory") 1)
(table $t 1 funcref)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (table.grow $t (ref.null func) (i32.const 100001)) (i32.const -1))
  (call $is (i32.const 2) (table.grow $t (ref.null func) (i32.const {{table_elements_over}})) (i32.const -1))
  (call $is (i32.const 3) (table.grow $t (ref.null func) (i32.const {{table_elements_max}})) (i32.const -1))
  (call $is (i32.const 4) (table.size $t) (i32.const 1))
  (call $is (i32.const 5) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
