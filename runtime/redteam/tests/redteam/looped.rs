//! A run of many rounds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use weir_hostile::{Attack, Class, Expect};
use weir_redteam::{Case, FIXTURE, Ground, Options, run};
use weir_sandbox::{EngineConfig, Limits};

#[test]
fn many_rounds_leave_nothing_behind() {
    let _alone = crate::alone();
    let limits = Limits::default().with(|it| it.fuel_batch_max = Some(10_000_000));
    let ground = Ground::new(&limits, &EngineConfig::default()).unwrap();
    let cases: Vec<Case> = FIXTURE.iter().map(Case::from).collect();
    let only = ["1", "6", "22", "39", "51", "68", "69"].map(ToOwned::to_owned).to_vec();
    let options = Options { loop_for: Some(Duration::from_secs(5)), only, ..Options::default() };
    let mut rounds = 0;
    let report = run(&ground, &cases, &options, &mut |progress| rounds = progress.done).unwrap();
    assert!(report.passes(), "{}", report.to_text());
    let drift = report.drift.as_ref().unwrap();
    assert_eq!((drift.rounds.len(), drift.attempts), (rounds, rounds as u64 * 7));
    assert!(rounds >= 2 && drift.victim_rows > 0, "{drift:?}");
    assert!(report.rows.iter().all(|row| row.attempts == rounds as u64));
}

#[test]
fn what_is_left_behind_fails() {
    /// Leaves 8 MiB behind each of the first 20 times.
    const LEAK: Attack = Attack {
        row: 1,
        name: "leak",
        title: "not the host's leak, but one that it would show by",
        class: Class::Memory,
        expect: Expect::Refused(&["not_wasm"]),
        bytes: |_| {
            static TIMES: AtomicUsize = AtomicUsize::new(0);
            if TIMES.fetch_add(1, Ordering::Relaxed) < 20 {
                std::mem::forget(std::hint::black_box(vec![1_u8; 8 << 20]));
            }
            b"leak".to_vec()
        },
    };
    let _alone = crate::alone();
    let ground = Ground::new(&Limits::default(), &EngineConfig::default()).unwrap();
    let options =
        Options { loop_for: Some(Duration::from_secs(1)), only: vec!["leak".to_owned()], ..Options::default() };
    let report = run(&ground, &[Case::from(&LEAK)], &options, &mut |_| {}).unwrap();
    assert!(report.rows.iter().all(|row| row.passes()), "{}", report.to_text());
    assert!(!report.passes() && report.to_text().contains("the resident set grew"), "{}", report.to_text());
}
