//! The whole run.

use std::time::{Duration, Instant};

use crate::assault::{Assault, assault};
use crate::case::{Case, Judged};
use crate::drift::{LoopOutcome, drift};
use crate::effect::{Effect, Windows};
use crate::ground::Ground;
use crate::options::{Chosen, Options};
use crate::process::{children_cpu_time, cpu_time, machine, machine_cpu_time};
use crate::report::{ClassEffect, Report, Row};
use crate::runaway::runaways;
use crate::upload::upload_cost;
use crate::victim::{Pace, Victim};
use crate::{Procedure, RUNAWAY, RedteamError, UploadCost};

/// Attacks between two windows with a well-behaved tenant in the attacker's place.
const ATTACKS_A_NEIGHBOUR: usize = 8;

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// What part of the run.
    pub part: &'static str,
    /// What is run.
    pub name: &'a str,
    /// Steps done in this part.
    pub done: usize,
    /// Steps of this part, where that is known.
    pub of: Option<usize>,
}

/// Runs what the options choose, and reports.
///
/// # Errors
///
/// Only what keeps anything from being run: what an attack does is a row of the report.
pub fn run(
    ground: &Ground,
    cases: &[Case],
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, RedteamError> {
    let chosen = options.choose(cases)?;
    let (started, own_cpu, all_cpu) = (Instant::now(), cpu_time() + children_cpu_time(), machine_cpu_time());
    let mut report = match options.loop_for {
        Some(during) => looped(ground, &chosen, during, progress)?,
        None => measured(ground, &chosen, options, progress)?,
    };
    report.measured = options.measures();
    report.took = started.elapsed();
    // What others on this machine took: the measured figures are worth as much as this is small.
    let own = (cpu_time() + children_cpu_time()).saturating_sub(own_cpu);
    let all = all_cpu.and_then(|before| Some(machine_cpu_time()?.saturating_sub(before)));
    report.others_cores = all.map(|all| all.saturating_sub(own).as_secs_f64() / report.took.as_secs_f64().max(1e-9));
    Ok(report)
}

fn report(ground: &Ground) -> Report {
    Report {
        rows: Vec::new(),
        by_class: Vec::new(),
        neighbour: Vec::new(),
        runaways: Vec::new(),
        drift: None,
        machine: machine(),
        version: env!("CARGO_PKG_VERSION"),
        limits: ground.limits().as_ref().clone(),
        measured: false,
        took: Duration::ZERO,
        others_cores: None,
    }
}

fn looped(
    ground: &Ground,
    chosen: &Chosen,
    during: Duration,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, RedteamError> {
    let Chosen { cases, procedures, .. } = chosen;
    let LoopOutcome { drift, cases: judged, procedures: found } =
        drift(ground, cases, procedures, during, |done, size| {
            let resident = format!("{} MiB resident", size.resident_bytes >> 20);
            progress(Progress { part: "rounds", name: &resident, done, of: None });
        })?;
    let mut report = report(ground);
    for (case, looped) in cases.iter().zip(judged) {
        let Some(judged) = looped.kept else { continue };
        report.rows.push(row(case, Assault { judged, attempts: looped.attempts }, None));
    }
    for (procedure, looped) in procedures.iter().zip(found) {
        let Some(finding) = looped.kept else { continue };
        report.rows.push(Row { attempts: looped.attempts, ..procedure_row(procedure, finding) });
    }
    report.rows.sort_by_key(Row::order);
    report.drift = Some(drift);
    Ok(report)
}

fn measured(
    ground: &Ground,
    chosen: &Chosen,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, RedteamError> {
    let Chosen { cases, procedures, runaway, host } = chosen;
    let target = ground.target();
    let mut report = report(ground);
    // Each by itself first, with nothing else going on, for what it costs.
    let mut costs = Vec::with_capacity(cases.len());
    for (done, case) in cases.iter().enumerate() {
        progress(Progress { part: "uploads", name: &case.name, done, of: Some(cases.len()) });
        costs.push(upload_cost(ground, case, &case.bytes(&target)));
    }
    for (done, procedure) in procedures.iter().enumerate() {
        progress(Progress { part: "procedures", name: procedure.name, done, of: Some(procedures.len()) });
        report.rows.push(procedure_row(procedure, procedure.run(ground)));
    }
    for (done, attack) in host.iter().enumerate() {
        progress(Progress { part: "attacks on the host", name: attack.name, done, of: Some(host.len()) });
        report.rows.extend(options.program.iter().map(|program| attack.run(program, target, options.host_way)));
    }
    if !cases.is_empty() {
        windows(ground, cases, &costs, options, progress, &mut report)?;
    }
    if *runaway {
        let mut done = 0;
        report.runaways = runaways(ground, options.runaway_samples, |name| {
            progress(Progress { part: RUNAWAY, name, done, of: None });
            done += 1;
        })?;
    }
    report.by_class = ClassEffect::of(&report.rows);
    report.rows.sort_by_key(Row::order);
    Ok(report)
}

/// Every attack beside a victim, with a well-behaved tenant in the attacker's place now and then.
fn windows(
    ground: &Ground,
    cases: &[Case],
    costs: &[UploadCost],
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
    report: &mut Report,
) -> Result<(), RedteamError> {
    let target = ground.target();
    let victim = Victim::start(ground, "victim", Pace::BackToBack)?;
    let neighbour = Victim::start(ground, "neighbour", Pace::BackToBack)?;
    let mut windows = Windows::new(&victim, options.window / 2);
    let rounds = options.rounds.max(1);
    let mut rows: Vec<Row> = Vec::new();
    for round in 0..rounds {
        for (index, case) in cases.iter().enumerate() {
            let done = round * cases.len() + index;
            progress(Progress { part: "attacks", name: &case.name, done, of: Some(rounds * cases.len()) });
            if index % ATTACKS_A_NEIGHBOUR == 0 {
                let ((), effect, wrong) = windows.measure(|| {
                    neighbour.resume();
                    std::thread::sleep(options.window);
                    neighbour.pause();
                });
                report.neighbour.push(effect);
                if let Some(wrong) = wrong {
                    return Err(RedteamError::Victim(format!("beside another of its kind: {wrong}")));
                }
            }
            let bytes = case.bytes(&target);
            let (assault, effect, wrong) = windows.measure(|| assault(ground, case, bytes, options.window));
            let mut now = row(case, assault, Some(effect));
            now.cost = costs.get(index).copied();
            if let Some(wrong) = wrong {
                now.wrong = Some(format!("the victim noticed: {wrong}"));
            }
            match rows.get_mut(index) {
                Some(row) => row.add(now),
                None => rows.push(now),
            }
        }
    }
    report.rows.append(&mut rows);
    Ok(())
}

fn row(case: &Case, assault: Assault, effect: Option<Effect>) -> Row {
    let Assault { judged: Judged { happened, end, wrong }, attempts } = assault;
    Row {
        row: case.row,
        name: case.name.clone(),
        title: case.title.clone(),
        class: case.class,
        expected: case.expected.to_string(),
        happened: happened.to_string(),
        code: happened.code,
        attempts,
        // Only an end that was waited for: others come when the guest brings them about.
        end: end.as_ref().filter(|end| end.is_of_time()).map(|end| end.after),
        beyond: end.as_ref().and_then(|end| end.beyond),
        effects: effect.into_iter().collect(),
        cost: None,
        host: None,
        wrong,
    }
}

fn procedure_row(procedure: &Procedure, finding: crate::Finding) -> Row {
    let (happened, wrong) = match finding {
        Ok(held) => (held, None),
        Err(broken) => (broken.to_string(), Some(format!("expected {}", procedure.expected))),
    };
    Row {
        row: Some(procedure.row),
        name: procedure.name.to_owned(),
        title: procedure.title.to_owned(),
        class: procedure.class,
        expected: procedure.expected.to_owned(),
        happened,
        code: None,
        attempts: 1,
        end: None,
        beyond: None,
        effects: Vec::new(),
        cost: None,
        host: None,
        wrong,
    }
}
