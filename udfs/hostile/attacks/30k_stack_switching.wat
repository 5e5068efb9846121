;; title: a continuation
;; class: upload
;; expect: refused invalid_wasm
;;
;; Stacks beside the one that is guarded.
(type $f (func))
(type $c (cont $f))
(memory (export "memory") 1)
(elem declare func $nothing)
(func $nothing (type $f))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (drop (cont.new $c (ref.func $nothing))) (i32.const 0))
