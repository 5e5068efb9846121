;; title: a metric whose name is a line of another
;; class: speech
;; expect: refused manifest
;; manifest: {"abi":1,"name":"f","kind":"metrics","metrics":[{"name":"x 1\nweir_records_total{tenant=\"victim\"} 0","kind":"counter"}]}
;;
;; Exposition formats are lines of text: a name with a line's end in it writes another tenant's metric.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
