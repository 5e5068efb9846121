;; title: does not export what its manifest declares
;; class: upload
;; expect: refused missing_export
;;
;; Found out at the first record, it would be too late.
(memory (export "memory") 1)
(func (export "weir_call_g") (param $rows i32) (result i32) (i32.const 0))
