;; title: a shared memory
;; class: upload
;; expect: refused invalid_wasm
;;
;; With threads a guest has a clock of its own, fine enough to listen to its neighbours.
(memory (export "memory") 1 2 shared)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
