;; title: puts elements beyond the end of its table
;; class: memory
;; expect: ended trap
;;
;; Element segments are copied by the host too.
(memory (export "memory") 1)
(table 1 funcref)
(elem (i32.const 0xffffffff) $f)
(func $f (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
