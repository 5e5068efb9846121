;; title: begins with more memory than it may have
;; class: memory
;; expect: refused initial_memory invalid_wasm
;;
;; Nothing is grown, so that no limit on growing holds.
(memory (export "memory") {{memory_pages_over}})
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
