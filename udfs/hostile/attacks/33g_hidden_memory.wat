;; title: does not export its memory
;; class: upload
;; expect: refused no_memory
;;
;; There is one, and the host must not go and look for it.
(memory 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
