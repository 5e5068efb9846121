;; title: makes a wrong host call from the depth of its stack
;; class: memory
;; expect: ended stack_overflow bad_host_call
;;
;; The host puts an error together, and unwinds, with as little stack as the guest leaves it. The guest goes as deep as
;; it has tried before.
(memory (export "memory") 1)
(func $deep (param $left i32)
  (if (i32.eqz (local.get $left))
    (then (drop (call $get_i64 (i32.const 99) (i32.const -1)))))
  (call $deep (i32.sub (local.get $left) (i32.const 1))))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $deep (i32.const 8000)) (i32.const 0))
