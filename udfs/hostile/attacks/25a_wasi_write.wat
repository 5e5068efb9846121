;; title: imports the system's write
;; class: upload
;; expect: refused wasi_import
;;
;; What a toolchain for another target builds, and what would reach files.
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
