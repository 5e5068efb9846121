;; title: grows its memory page by page, as far as it gets
;; class: memory
;; expect: answered
;;
;; Every guest that does it costs the host as much memory as it may have. Beyond that `memory.grow` says -1.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (call $is (i32.const 1) (memory.size) (i32.const {{memory_pages_max}}))
  (call $is (i32.const 2) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
