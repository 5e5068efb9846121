;; title: loops for ever in its start function
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; A start function runs while the module is instantiated, before the host has a handle to stop it by.
(memory (export "memory") 1)
(start $start)
(func $start (loop $again (br $again)))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
