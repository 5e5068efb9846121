//! One run with windows, procedures and runaways.

use std::time::Duration;

use weir_redteam::{Case, Expected, FIXTURE, Ground, Options, PROCEDURES, Report, run};
use weir_sandbox::{EngineConfig, Limits};

fn cases() -> Vec<Case> {
    FIXTURE.iter().map(Case::from).collect()
}

/// Deadlines and fuel at a tenth of the defaults: what is asked is what happens, not after how long.
fn limits() -> Limits {
    Limits::default().with(|it| {
        it.fuel_batch_max = Some(100_000_000);
        it.deadline_ms_max = 500;
    })
}

fn report(cases: &[Case], only: &[&str]) -> Report {
    let ground = Ground::new(&limits(), &EngineConfig::default()).unwrap();
    let only = only.iter().map(ToString::to_string).collect();
    let options = Options { only, window: Duration::from_millis(30), runaway_samples: 5, ..Options::default() };
    run(&ground, cases, &options, &mut |_| {}).unwrap()
}

#[test]
fn what_a_host_withstands_passes_and_the_victim_is_measured() {
    let _alone = crate::alone();
    let report = report(&cases(), &["1", "6", "22", "39", "51"]);
    assert!(report.passes(), "{}", report.to_text());
    assert_eq!(report.rows.len(), 5);
    for row in &report.rows {
        let effect = row.effects.first().unwrap();
        assert!(effect.rows_per_second_alone > 0.0 && effect.latency_alone.is_some(), "{row:?}");
        assert!(row.attempts >= 1 && row.cost.is_some(), "{row:?}");
    }
    let end = report.rows[0].end.unwrap();
    assert!(end > Duration::from_millis(1) && end < Duration::from_secs(5), "{end:?}");
    assert!(!report.neighbour.is_empty());
    let [accepted, refused] = report.worst_uploads();
    assert!(accepted.unwrap().1.native_bytes.unwrap() > 0);
    assert_eq!(refused.unwrap().0.name, "unknown_import");
}

#[test]
fn every_procedure_holds() {
    let _alone = crate::alone();
    let names: Vec<&str> = PROCEDURES.iter().map(|procedure| procedure.name).collect();
    let report = report(&[], &names);
    assert!(report.passes(), "{}", report.to_text());
    assert_eq!(report.rows.len(), PROCEDURES.len());
}

#[test]
fn a_guest_that_never_stops_is_ended_and_timed() {
    let _alone = crate::alone();
    let report = report(&[], &["runaway"]);
    assert!(report.passes(), "{}", report.to_text());
    assert_eq!(report.runaways.len(), 12);
    assert!(report.runaways.iter().all(|runaway| runaway.time.is_some()));
}

#[test]
fn what_does_not_end_as_expected_fails() {
    let _alone = crate::alone();
    let loop_forever = FIXTURE[0].bytes;
    let ground = Ground::new(&limits(), &EngineConfig::default()).unwrap();
    let bytes = loop_forever(&ground.target());
    drop(ground);
    for (expected, passes) in [
        ("ended: out_of_fuel", true),
        ("contained", true),
        ("ended: unreachable", false),
        ("refused", false),
        ("answered", false),
    ] {
        let case = Case::given("own", bytes.clone(), expected.parse::<Expected>().unwrap());
        let report = report(&[case], &["own"]);
        assert_eq!(report.passes(), passes, "{}", report.to_text());
        let verdict = if passes { "PASS" } else { "FAIL" };
        let line = report.to_text().lines().find(|line| line.contains(" own ")).unwrap().to_owned();
        assert!(line.ends_with(verdict), "{line}");
        let json = report.to_json();
        assert_eq!((&json[0]["passes"], &json[0]["code"]), (&passes.into(), &"out_of_fuel".into()));
        assert_eq!(json.last().unwrap()["summary"]["passes"], passes);
        assert_eq!(report.to_markdown().contains("**FAIL**"), !passes);
    }
}
