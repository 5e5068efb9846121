//! A few hundred modules of each corpus: nothing happens that must not, and each generator makes what it is there for.

use std::path::Path;

use weir_corpora::{Corpus, Plan, Run, Tally};

/// Runs this number of modules of one corpus. Of the official suite every eleventh file is read.
fn tally(corpus: Corpus, modules: u64) -> Tally {
    let plan = Plan {
        seed: 1,
        corpora: vec![corpus],
        modules: Some(modules),
        time: None,
        spec_stride: 11,
        failures: Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpora"),
    };
    let mut log = Vec::new();
    let report = Run::new(plan).unwrap().all(&mut log).unwrap();
    assert_eq!(report.failures(), 0, "{}{}", String::from_utf8_lossy(&log), report.table());
    eprintln!("{}", report.table());
    report.corpora[corpus.name()].clone()
}

/// Each of the codes came up.
fn assert_refused(tally: &Tally, codes: &[&str]) {
    for code in codes {
        assert!(tally.refused.contains_key(code), "none is refused as {code}: {:?}", tally.refused);
    }
}

fn assert_ended(tally: &Tally, codes: &[&str]) {
    for code in codes {
        assert!(tally.ended.contains_key(code), "none ends with {code}: {:?}", tally.ended);
    }
}

#[test]
fn the_official_suite() {
    let tally = tally(Corpus::Spec, 600);
    for kind in ["binary", "text", "malformed binary", "malformed text", "invalid", "unlinkable or trapping"] {
        assert!(tally.kinds.contains_key(kind), "there is no {kind} module: {:?}", tally.kinds);
    }
    assert_refused(&tally, &["invalid_wasm", "wasm_text", "no_memory", "import_kind"]);
}

#[test]
fn the_official_suite_dressed() {
    let tally = tally(Corpus::SpecDressed, 150);
    assert_refused(&tally, &["invalid_wasm"]);
    assert!(tally.admitted > 50 && tally.answered > 100, "{tally:?}");
}

#[test]
fn what_wasm_smith_makes() {
    let tally = tally(Corpus::Smith, 300);
    assert_refused(&tally, &["invalid_wasm", "no_memory", "import_kind"]);
    assert!(tally.admitted > 50 && tally.answered > 100, "{tally:?}");
}

#[test]
fn what_wasm_smith_makes_within_the_contract() {
    let tally = tally(Corpus::SmithFitted, 300);
    assert!(tally.admitted > 200 && tally.answered > 50, "{tally:?}");
    let codes =
        ["bad_host_call", "failed", "malformed_output", "out_of_bounds", "out_of_fuel", "stack_overflow", "trap"];
    assert_ended(&tally, &codes);
}

#[test]
fn sequences_of_host_calls() {
    let tally = tally(Corpus::HostCalls, 250);
    assert_eq!(tally.admitted, 250);
    assert!(tally.answered > 100, "{tally:?}");
    assert_ended(&tally, &["bad_host_call", "failed", "malformed_output", "out_of_fuel", "unreachable"]);
}

#[test]
fn mutants_that_do_the_same() {
    let tally = tally(Corpus::MutantsSame, 30);
    assert!(tally.admitted > 15 && tally.compared > 100, "{tally:?}");
    assert_eq!(tally.compared, tally.answered);
}

#[test]
fn mutants_that_do_something_else() {
    let tally = tally(Corpus::Mutants, 50);
    assert!(tally.admitted > 20 && tally.answered > 100 && tally.endings() > 20, "{tally:?}");
    assert_refused(&tally, &["missing_export", "no_memory"]);
}

#[test]
fn damaged_guests() {
    let tally = tally(Corpus::Damaged, 250);
    assert_refused(&tally, &["invalid_wasm"]);
    assert!(tally.admitted > 5 && tally.answered > 50, "{tally:?}");
}
