;; title: calls the host from every depth of its stack
;; class: memory
;; expect: ended stack_overflow
;;
;; A host function runs on the guest's stack. Where the guest left it little room the host itself overflows, and that
;; is no trap but the end of the process.
(memory (export "memory") 1)
(func $deep
  (drop (call $window (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 1024)))
  (drop (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 1024) (i32.const 8192) (i32.const 4096)))
  (drop (call $log (i32.const 4) (i32.const 0) (i32.const 16)))
  (drop (call $metric_series (i32.const 0) (i32.const 0) (i32.const 4)))
  (call $deep))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $deep) (i32.const 0))
