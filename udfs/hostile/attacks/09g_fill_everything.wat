;; title: fills 4 GiB
;; class: cpu
;; expect: ended out_of_bounds out_of_fuel
;;
;; Far more than there is. Whether it is charged for before it is refused is the host's to choose; nothing is written.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (memory.fill (i32.const 0) (i32.const 0xff) (i32.const -1))
  (i32.const 0))
