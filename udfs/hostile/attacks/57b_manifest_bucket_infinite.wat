;; title: a histogram with a bucket beyond all numbers
;; class: speech
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"metrics","metrics":[{"name":"x","kind":"histogram","buckets":[1,1e999]}]}
;;
;; A bound that compares with nothing, in every histogram that is folded with this one.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
