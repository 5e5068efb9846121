;; title: puts data across the end of its memory
;; class: memory
;; expect: ended out_of_bounds
;;
;; The first bytes fit; the rest would stand on what comes after.
(memory (export "memory") 1)
(data (i32.const 65532) "12345")
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
