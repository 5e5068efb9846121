;; title: a group of recursive types
;; class: upload
;; expect: refused invalid_wasm
;;
;; Counts as one type and holds many.
(rec (type $a (func (param (ref null $b)))) (type $b (func (param (ref null $a)))))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
