;; title: pointers and lengths whose sum wraps to something small
;; class: border
;; expect: answered
;; kind: fallible map
;; output: o i64, t utf8
;;
;; Checked in 32 bits, each of these ranges ends within memory.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $log (i32.const 1) (i32.const 0xfffffff0) (i32.const 0x20)) (i32.const -4))
  (call $is (i32.const 2) (call $log (i32.const 1) (i32.const 0x20) (i32.const 0xfffffff0)) (i32.const -4))
  (call $is (i32.const 3) (call $last_words (i32.const -1) (i32.const 2)) (i32.const -4))
  (call $is (i32.const 4) (call $get_bytes (i32.const 1) (i32.const 0) (i32.const 0x10) (i32.const 0xfffffff8)) (i32.const -4))
  (call $is (i32.const 5)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0x10) (i32.const 0xfffffff8))
    (i32.const -4))
  (call $is (i32.const 6) (call $param_bytes (i32.const 2) (i32.const 0x10) (i32.const 0xfffffff8)) (i32.const -4))
  (call $is (i32.const 7) (call $row_error (i32.const 0) (i32.const 1) (i32.const 0xffffffff) (i32.const 2)) (i32.const -4))
  ;; 2^29 values of eight bytes are 2^32 bytes: 0 in 32 bits.
  (call $is (i32.const 8) (call $emit_column (i32.const 0) (i32.const 0) (i32.const 0x20000000) (i32.const 0)) (i32.const -4))
  (call $is (i32.const 9) (call $metric_record_column (i32.const 0) (i32.const 0) (i32.const 0x20000000)) (i32.const -4))
  (call $is (i32.const 10) (call $metric_record_many (i32.const 0) (i32.const 0) (i32.const 0x40000000)) (i32.const -4))
  (call $is (i32.const 11)
    (call $emit_bytes (i32.const 1) (i32.const 0) (i32.const 0xffffffff) (i32.const 0) (i32.const 0) (i32.const 0))
    (i32.const -4))
  (call $is (i32.const 12)
    (call $emit_bytes (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0x10) (i32.const 0xfffffff8) (i32.const 0))
    (i32.const -4))
  (call $is (i32.const 13) (call $metric_series (i32.const 0) (i32.const 0x10) (i32.const 0xfffffff8)) (i32.const -4))
  (call $is (i32.const 14) (call $keep_all (i32.const 1024) (local.get $rows)) (i32.const 0))
  (call $is (i32.const 15) (call $emit_column (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 16)
    (call $emit_bytes (i32.const 1) (i32.const 65536) (local.get $rows) (i32.const 0) (i32.const 0) (i32.const 0))
    (i32.const 0))
  (global.get $wrong))
