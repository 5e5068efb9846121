//! The host's own life: traps, leftovers, what is shared.

use expect_test::expect;
use weir_sandbox::{Engine, EngineConfig};

use crate::support::{attack, check, check_same_bytes, limits, run};

#[test]
fn trap_in_mid_batch() {
    check(
        "trap_in_mid_batch",
        expect![[r#"
        unreachable, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: unreachable code was reached
          warn half
          at function 24
    "#]],
    );
}

#[test]
fn trap_in_init() {
    check(
        "trap_in_init",
        expect![[r#"
        unreachable, batch 1: mallory, module <digest>, function f, in init: unreachable code was reached
          at function 24
    "#]],
    );
}

#[test]
fn init_says_no() {
    check(
        "init_says_no",
        expect![[r#"
        failed, batch 1: mallory, module <digest>, function f, in init: the function failed with code -2147483648: not today
    "#]],
    );
}

#[test]
fn trap_in_start() {
    check(
        "trap_in_start",
        expect![[r#"
        unreachable, batch 1: mallory, module <digest>, function f, at instantiation: unreachable code was reached
          at start
    "#]],
    );
}

#[test]
fn leaves_canaries() {
    check(
        "leaves_canaries",
        expect![[r#"
        memory_limit, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: memory limit reached: limit 4 MiB, current 4 MiB, requested 64 KiB
          at f
    "#]],
    );
}

#[test]
fn looks_for_canaries() {
    check(
        "looks_for_canaries",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn nan_bits() {
    check(
        "nan_bits",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn counting_as_a_clock() {
    check(
        "counting_as_a_clock",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn write_to_input() {
    check(
        "write_to_input",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn holds_the_batch() {
    check(
        "holds_the_batch",
        expect![[r#"
        answered 1 rows, 999 filtered
        answered 1 rows, 999 filtered
        answered 1 rows, 999 filtered
    "#]],
    );
}

#[test]
fn ends_while_it_reads() {
    check(
        "ends_while_it_reads",
        expect![[r#"
        out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
          at function 24
    "#]],
    );
}

#[test]
fn nan_bits_are_the_same_in_every_run() {
    check_same_bytes("nan_bits");
}

#[test]
fn canaries_are_gone_when_the_slot_is_another_tenants() {
    // One slot, so that it is the same.
    let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 1)).unwrap();
    for _ in 0..3 {
        for name in ["leaves_canaries", "looks_for_canaries"] {
            run(&engine, attack(name), &limits()).text(attack(name));
        }
    }
}
