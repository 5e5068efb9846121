;; title: one label twice
;; class: speech
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"metrics","metrics":[{"name":"x","kind":"counter","labels":["tenant","tenant"]}]}
;;
;; The second one wins, or an exporter panics.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
