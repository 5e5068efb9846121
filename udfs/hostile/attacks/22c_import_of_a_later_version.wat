;; title: imports from a version that is not there
;; class: upload
;; expect: refused unknown_import
;;
;; The names of two versions may be the same and their meaning not.
(import "weir_v2" "log" (func $other (param i32 i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $other (i32.const 0) (i32.const 0) (i32.const 0)))
