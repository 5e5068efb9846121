;; title: declares that its memory may become 4 GiB
;; class: memory
;; expect: answered
;;
;; A host that reserves what is declared is out of address space after a few thousand such guests; one that takes the
;; declared maximum for the tenant's limit gives it all.
(memory (export "memory") 1 65536)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (memory.grow (i32.const {{memory_pages_max}})) (i32.const -1))
  (call $is (i32.const 2) (memory.size) (i32.const 1))
  (call $is (i32.const 3) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
