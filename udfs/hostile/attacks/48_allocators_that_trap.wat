;; title: exports allocators, all of which trap
;; class: border
;; expect: answered
;;
;; Hosts of other contracts call these to have room made, and are re-entered by them. Here nothing but the entry is
;; called, whatever else is exported.
(memory (export "memory") 1)
(func $never (param i32) (result i32) (unreachable))
(export "alloc" (func $never))
(export "malloc" (func $never))
(export "free" (func $never))
(export "__wbindgen_malloc" (func $never))
(func (export "weir_init_g") (result i32) (unreachable))
(func (export "weir_call_g") (param i32) (result i32) (unreachable))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $get_bytes (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 8))
  (call $is (i32.const 2) (call $keep_all (i32.const 1024) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
