;; title: has offsets and bytes written to the same place
;; class: border
;; expect: answered
;;
;; Two slices of one memory of which one is written to: undefined in Rust, and a mixture of both in C. The contract
;; says that the offsets are written last.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 1024) (i32.const 1024) (i32.const 64))
    (i32.const 4))
  (call $is (i32.const 2) (i32.load (i32.const 1024)) (i32.const 0))
  (call $is (i32.const 3) (i32.load (i32.const 1028)) (i32.const 8))
  (call $is (i32.const 4) (i32.load (i32.const 1040)) (i32.const 32))
  ;; The rest of the bytes is as it was copied: "record_2" begins at 1040, of which its first half is gone.
  (call $is (i32.const 5) (i32.load (i32.const 1044)) (i32.const 0x325f6472))
  ;; Offsets in the middle of the bytes.
  (call $is (i32.const 6)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 2050) (i32.const 2048) (i32.const 64))
    (i32.const 2))
  (call $is (i32.const 7) (i32.load16_u (i32.const 2048)) (i32.const 0x6572))
  (call $is (i32.const 8) (i32.load (i32.const 2050)) (i32.const 0))
  (call $is (i32.const 9) (i32.load (i32.const 2058)) (i32.const 16))
  (call $is (i32.const 10) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
