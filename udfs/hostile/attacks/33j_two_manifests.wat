;; title: declares a function twice, in two sections
;; class: upload
;; expect: refused manifest
;;
;; Checked by the one and run by the other. A linker may split the section, so that two are no mistake by themselves.
(@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}\0a")
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32) (i32.const 0))
