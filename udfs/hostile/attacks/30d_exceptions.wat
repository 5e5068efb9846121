;; title: throws an exception
;; class: upload
;; expect: refused invalid_wasm
;;
;; One that is thrown through a host function unwinds the host.
(memory (export "memory") 1)
(tag $t)
(func (export "weir_call_f") (param $rows i32) (result i32) (throw $t))
