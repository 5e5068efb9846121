;; title: imports a known name from another module
;; class: upload
;; expect: refused unknown_import
;;
;; A host that looks at the second name only.
(import "env" "log" (func $other (param i32 i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $other (i32.const 0) (i32.const 0) (i32.const 0)))
