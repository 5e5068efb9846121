;; title: an atomic wait
;; class: upload
;; expect: refused invalid_wasm
;;
;; Blocks the thread outside of any check.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
