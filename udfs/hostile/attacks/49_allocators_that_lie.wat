;; title: exports allocators that give out nothing, too much, and the same twice
;; class: border
;; expect: answered
;;
;; A host that writes where such a function says writes to wherever the guest likes. This one calls none: they would
;; count their calls.
(memory (export "memory") 1)
(global $calls (mut i32) (i32.const 0))
(func $count (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $count) (i32.const -1))
(func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) (call $count) (i32.const 0))
(func (export "allocate") (param i32) (result i32) (call $count) (i32.const 0x7ffffff0))
(func (export "weir_alloc") (param i32) (result i32) (call $count)
  (drop (call $emit_filter (i32.const 0) (i32.const 1))) (i32.const 64))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $get_bytes (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 8))
  (call $is (i32.const 2)
    (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 64) (i32.const 256)) (i32.const 4))
  (call $is (i32.const 3) (global.get $calls) (i32.const 0))
  (call $is (i32.const 4) (call $keep_all (i32.const 1024) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
