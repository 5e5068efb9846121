;; title: imports a function that does not exist
;; class: upload
;; expect: refused unknown_import
;;
;; A host that resolves imports late, or makes traps of those it does not know, runs code that nobody looked at.
(import "weir_v1" "read_file" (func $read_file (param i32 i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $read_file (i32.const 0) (i32.const 0) (i32.const 0)))
