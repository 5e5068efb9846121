;; title: calls a typed reference
;; class: upload
;; expect: refused invalid_wasm
;;
;; A call that is not checked when it is made.
(type $f (func (result i32)))
(memory (export "memory") 1)
(elem declare func $one)
(func $one (type $f) (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32) (call_ref $f (ref.func $one)))
