;; title: a function calls itself through a table for ever
;; class: memory
;; expect: ended stack_overflow
;;
;; No call graph shows it.
(memory (export "memory") 1)
(type $f (func (param i32) (result i32)))
(table 1 funcref)
(elem (i32.const 0) $deep)
(func $deep (type $f) (i32.add (call_indirect (type $f) (local.get 0) (i32.const 0)) (i32.const 1)))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $deep (local.get $rows)))
