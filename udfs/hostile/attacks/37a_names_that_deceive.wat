;; title: functions whose names colour terminals and turn the reading direction
;; class: upload
;; expect: ended unreachable
;;
;; Backtraces hold the names of a name section, and are printed to terminals and logs.
(memory (export "memory") 1)
(func $"\1b[31mred\n2026-01-01 ERROR forged line" (unreachable))
(func $"\e2\80\aeevil\e2\81\a6\00\07" (call $"\1b[31mred\n2026-01-01 ERROR forged line"))
(func $"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE" (call $"\e2\80\aeevil\e2\81\a6\00\07"))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE")
  (i32.const 0))
