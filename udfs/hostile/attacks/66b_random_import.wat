;; title: imports randomness
;; class: upload
;; expect: refused unknown_import
;;
;; A replay would give other bytes.
(import "env" "__getrandom_custom" (func $random (param i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (call $random (i32.const 0) (i32.const 8)))
