;; title: fails every row with the longest text
;; class: output
;; expect: answered
;; kind: fallible filter
;;
;; Messages are output too, though no column holds them.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $row i32)
  (memory.fill (i32.const 65536) (i32.const 0x0a) (i32.const 65536))
  (loop $again
    (call $is (i32.const 1)
      (call $row_error (local.get $row) (local.get $row) (i32.const 65536) (i32.const 4096)) (i32.const 0))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $row) (local.get $rows))))
  (call $is (i32.const 2) (call $emit_filter (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
