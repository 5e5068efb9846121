;; title: a metric called as one of the host's
;; class: speech
;; expect: answered
;; manifest: {"abi":1,"name":"f","kind":"metrics","metrics":[{"name":"weir_records_total","kind":"counter","labels":["tenant"]}]}
;;
;; The name is a fine one; what is recorded is the tenant's own all the same, whatever its labels claim.
(memory (export "memory") 1)
(data (i32.const 0) "\06\00\00\00victim")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $metric_series (i32.const 0) (i32.const 0) (i32.const 10)) (i32.const 0))
  (call $is (i32.const 2) (call $metric_record (i32.const 0) (f64.const 1)) (i32.const 0))
  (global.get $wrong))
