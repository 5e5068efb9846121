;; title: tries the handles of other tenants
;; class: border
;; expect: answered
;; kind: metrics
;;
;; It asks for no series of its own, so that whatever takes a value is somebody else's.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $handle i32)
  (loop $next
    (call $is (i32.const 1) (call $metric_record (local.get $handle) (f64.const 1)) (i32.const -6))
    (local.set $handle (i32.add (local.get $handle) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $handle) (i32.const 5000))))
  (global.get $wrong))
