;; title: a struct of the collected heap
;; class: upload
;; expect: refused invalid_wasm
;;
;; Memory that the limit of linear memory does not see.
(type $s (struct (field i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (drop (struct.new $s (local.get $rows))) (i32.const 0))
