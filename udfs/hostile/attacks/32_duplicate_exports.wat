;; title: exports two functions by one name
;; class: upload
;; expect: refused invalid_wasm
;;
;; One is looked at, and the other one called.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32) (unreachable))
