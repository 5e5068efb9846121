;; title: emits offsets that descend, and beyond the bytes
;; class: border
;; expect: answered
;; kind: map
;; output: t utf8
;;
;; Arrow reads a column of text without looking: an offset that lies is a read of the host's memory.
(memory (export "memory") 2)
(data (i32.const 0) "\00\00\00\00\04\00\00\00\02\00\00\00")
(data (i32.const 16) "\00\00\00\00\09\00\00\00")
(data (i32.const 32) "\00\00\00\00\ff\ff\ff\ff")
(data (i32.const 48) "\05\00\00\00\01\00\00\00")
(data (i32.const 64) "\ff\ff\ff\ff\ff\ff\ff\ff")
(data (i32.const 80) "12345678")
(func $emit (param $offsets i32) (param $count i32) (result i32)
  (call $emit_bytes (i32.const 0) (local.get $offsets) (local.get $count) (i32.const 80) (i32.const 8) (i32.const 0)))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $emit (i32.const 0) (i32.const 2)) (i32.const -5))
  (call $is (i32.const 2) (call $emit (i32.const 16) (i32.const 1)) (i32.const -5))
  (call $is (i32.const 3) (call $emit (i32.const 32) (i32.const 1)) (i32.const -5))
  (call $is (i32.const 4) (call $emit (i32.const 48) (i32.const 1)) (i32.const -5))
  (call $is (i32.const 5) (call $emit (i32.const 64) (i32.const 1)) (i32.const -5))
  (call $is (i32.const 6) (call $emit (i32.const 65536) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
