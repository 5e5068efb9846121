;; title: puts data beyond the end of its memory
;; class: memory
;; expect: ended out_of_bounds
;;
;; Data segments are copied by the host, at an offset of the guest's.
(memory (export "memory") 1)
(data (i32.const 0) "first")
(data (i32.const 0xfffffffc) "beyond")
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
