;; title: imports the system's clock
;; class: upload
;; expect: refused wasi_import
;;
;; As before, by the name that toolchains know.
(import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
