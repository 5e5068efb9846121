//! A right module, broken at every byte.

use weir_sandbox::Limits;

use crate::support::{attack, batch, call, check_neighbours, engine, instance, limits, run};

/// A small module that answers.
fn right() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (table 2 funcref) (elem (i32.const 0) $f)
            (global $g (mut i32) (i32.const 7))
            (data (i32.const 0) "\ff\ff")
            (func $f (export "weir_call_f") (param $rows i32) (result i32)
                (block $out (br_table 0 $out (global.get $g)))
                (memory.fill (i32.const 0) (i32.const 255) (i32.const 125))
                (call $emit_filter (i32.const 0) (local.get $rows)))
            (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#,
    )
    .unwrap()
}

/// Whether it was admitted; then it is called, and whatever it answers is fine, but for a fault of the host's.
fn try_out(bytes: &[u8], limits: &Limits) -> bool {
    let Ok(module) = engine().admit(&"mallory".parse().unwrap(), bytes, limits) else { return false };
    let batch = batch();
    if let Err(error) = call(&mut instance(&module, &batch, limits), &batch) {
        assert_eq!(error.fault().to_string(), "tenant", "{error}");
    }
    true
}

#[test]
fn cut_at_every_byte() {
    let (right, limits) = (right(), limits());
    assert!(try_out(&right, &limits));
    let admitted = (0..right.len()).filter(|&len| try_out(&right[..len], &limits)).count();
    // Without its last section, which holds names, it is right as well.
    assert_eq!(admitted, 1);
    check_neighbours();
}

#[test]
fn a_bit_of_each_byte_flipped() {
    let (right, limits) = (right(), limits().with(|it| it.fuel_batch_max = Some(100_000)));
    let mut admitted = 0;
    // One of each byte: all of them would take long.
    for (at, bit) in (0..right.len()).zip((0..8).cycle()) {
        let mut broken = right.clone();
        broken[at] ^= 1 << bit;
        admitted += usize::from(try_out(&broken, &limits));
    }
    // Some are harmless: another constant, another name of what nobody calls.
    assert!((1..right.len() / 2).contains(&admitted), "{admitted} of {}", right.len());
    check_neighbours();
}

#[test]
fn every_attack_cut_in_two() {
    let limits = limits();
    for attack in weir_hostile::ATTACKS.iter().filter(|attack| !attack.name.starts_with("under_")) {
        let half = |target: &weir_hostile::Target| {
            let mut bytes = (attack.bytes)(target);
            bytes.truncate(bytes.len() / 2);
            bytes
        };
        try_out(&half(&crate::support::target(&limits)), &limits);
    }
    check_neighbours();
}

#[test]
fn what_answers_does_so_under_the_default_limits() {
    for name in ["cardinality_bomb", "grow_and_touch", "log_flood", "table_grow", "tiny_pieces", "nan_bits"] {
        run(engine(), attack(name), &Limits::default()).text(attack(name));
    }
    check_neighbours();
}
