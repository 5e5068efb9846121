;; title: asks for memory without end
;; class: memory
;; expect: ended out_of_fuel deadline
;;
;; Each refusal is the host's work, not the guest's.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (memory.grow (i32.const 65535)))
    (drop (memory.grow (i32.const 0)))
    (br $again))
  (i32.const 0))
