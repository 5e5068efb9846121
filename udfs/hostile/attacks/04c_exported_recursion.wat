;; title: calls the function that the host calls
;; class: memory
;; expect: ended stack_overflow
;;
;; Re-enters its own entry, and emits each time: a host that counts calls by entries is led astray.
(memory (export "memory") 1)
(func $call (export "weir_call_f") (param $rows i32) (result i32)
  (drop (call $keep_all (i32.const 0) (local.get $rows)))
  (i32.add (call $call (local.get $rows)) (i32.const 1)))
