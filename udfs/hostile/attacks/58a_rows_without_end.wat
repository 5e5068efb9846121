;; title: makes rows until it is refused, and says that all is well
;; class: output
;; expect: ended output_rows_limit output_bytes_limit out_of_fuel deadline
;; kind: flat_map
;;
;; A batch that does not fit where it is handed to.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (call $emit_column (i32.const 0) (i32.const 32768) (i32.const 1000) (i32.const 0)))
    (br_if $again (i32.eqz (call $emit_parents (i32.const 0) (i32.const 1000)))))
  (i32.const 0))
