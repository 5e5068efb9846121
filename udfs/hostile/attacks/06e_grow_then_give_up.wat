;; title: panics when memory is refused
;; class: memory
;; expect: ended memory_limit
;;
;; What most languages' allocators do: its author must be told of the limit, and not of an `unreachable`.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (unreachable))
