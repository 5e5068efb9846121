;; title: one value of all its memory, with offsets that count it twice
;; class: output
;; expect: answered
;; kind: map
;; output: t utf8
;;
;; A record that no broker takes, out of bytes that are handed in once.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  ;; 0, 64 KiB, 64 KiB, 128 KiB: beyond the bytes that are handed in.
  (i32.store (i32.const 4) (i32.const 65536))
  (i32.store (i32.const 8) (i32.const 65536))
  (i32.store (i32.const 12) (i32.const 131072))
  (call $is (i32.const 1)
    (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 65536) (i32.const 65536) (i32.const 0)) (i32.const -5))
  (i32.store (i32.const 4) (i32.const 0x7fffffff))
  (call $is (i32.const 2)
    (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65536) (i32.const 65536) (i32.const 0)) (i32.const -5))
  (call $is (i32.const 3)
    (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0x7fffffff) (i32.const 0)) (i32.const -4))
  (memory.fill (i32.const 0) (i32.const 0) (i32.const 16))
  (call $is (i32.const 4)
    (call $emit_bytes (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0))
  (global.get $wrong))
