;; title: exports its memory by two names
;; class: upload
;; expect: answered
;;
;; A host that finds one by its name and the other by its index must find the same.
(memory (export "memory") (export "other") (export "memory\00") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1)
    (call $window (i32.const 0) (i32.const 998) (i32.const 2) (i32.const 4096)) (i32.const 2))
  (call $is (i32.const 2) (i32.load (i32.const 4104)) (i32.const 999))
  (call $is (i32.const 3) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
