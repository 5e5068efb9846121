;; title: behaves for two batches, then loops for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; What is tried out with one batch before it is trusted looks well.
(memory (export "memory") 1)
(global $batches (mut i32) (i32.const 0))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (global.set $batches (i32.add (global.get $batches) (i32.const 1)))
  (loop $again (br_if $again (i32.gt_u (global.get $batches) (i32.const 2))))
  (call $keep_all (i32.const 0) (local.get $rows)))
