;; title: has no memory
;; class: upload
;; expect: refused no_memory
;;
;; Every pointer that it passes is a pointer into nothing.
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
