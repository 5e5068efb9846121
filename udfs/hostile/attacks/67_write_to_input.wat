;; title: writes over what it read, and reads again
;; class: life
;; expect: answered
;;
;; The batch is shared by all that read it: what a guest holds is a copy.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $window (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 1024)) (local.get $rows))
  (call $is (i32.const 2)
    (call $window_bytes (i32.const 1) (i32.const 0) (local.get $rows) (i32.const 16384) (i32.const 32768) (i32.const 32768))
    (local.get $rows))
  (memory.fill (i32.const 1024) (i32.const 0xff) (i32.const 65536))
  (call $is (i32.const 3) (i64.eq (call $get_i64 (i32.const 0) (i32.const 5)) (i64.const 5)) (i32.const 1))
  (call $is (i32.const 4) (call $window (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 1024)) (local.get $rows))
  (call $is (i32.const 5) (i32.load (i32.const 1064)) (i32.const 5))
  (call $is (i32.const 6) (call $get_bytes (i32.const 1) (i32.const 7) (i32.const 0) (i32.const 64)) (i32.const 8))
  (call $is (i32.const 7) (i32.load (i32.const 4)) (i32.const 0x375f6472))
  (call $is (i32.const 8) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
