;; title: one metric as a counter and as a gauge
;; class: speech
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"metrics","metrics":[{"name":"x","kind":"counter"},{"name":"x","kind":"gauge"}]}
;;
;; What folds series together by name would add to what is set.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
