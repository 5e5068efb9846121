;; title: arithmetic in a constant
;; class: upload
;; expect: refused invalid_wasm
;;
;; Work at instantiation that no fuel is charged for.
(memory (export "memory") 1)
(global i32 (i32.add (i32.const 1) (i32.const 2)))
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
