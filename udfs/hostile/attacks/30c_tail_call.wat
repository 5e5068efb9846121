;; title: a tail call
;; class: upload
;; expect: refused invalid_wasm
;;
;; Recursion that no stack ends.
(memory (export "memory") 1)
(func $f (export "weir_call_f") (param $rows i32) (result i32) (return_call $f (local.get $rows)))
