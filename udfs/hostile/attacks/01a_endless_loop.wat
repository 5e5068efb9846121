;; title: loops for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; The plainest of all: takes a core for itself, and every other guest of the thread waits.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (br $again))
  (i32.const 0))
