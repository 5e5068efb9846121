;; title: grows its memory by more than there can be
;; class: memory
;; expect: answered
;;
;; Sizes that wrap where pages become bytes.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (memory.grow (i32.const 65536)) (i32.const -1))
  (call $is (i32.const 2) (memory.grow (i32.const 65535)) (i32.const -1))
  (call $is (i32.const 3) (memory.grow (i32.const -1)) (i32.const -1))
  (call $is (i32.const 4) (memory.grow (i32.const 0x80000000)) (i32.const -1))
  (call $is (i32.const 5) (memory.grow (i32.const {{memory_pages_max}})) (i32.const -1))
  (call $is (i32.const 6) (memory.grow (i32.const 0)) (i32.const 1))
  (call $is (i32.const 7) (memory.size) (i32.const 1))
  (call $is (i32.const 8) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
