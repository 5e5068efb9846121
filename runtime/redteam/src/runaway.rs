//! How long a guest that never stops runs beyond its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_sandbox::Limits;

use crate::attempt::{Attacker, End};
use crate::ground::{Ground, tenant};
use crate::victim::{Pace, Victim};
use crate::{RedteamError, Spread, guest, process};

/// The name by which the measure is chosen.
pub const RUNAWAY: &str = "runaway";

/// The deadline that is run beyond.
const DEADLINE_MS: u64 = 50;
/// What ends a guest by fuel: some milliseconds of work.
const FUEL: u64 = 5_000_000;

/// How long guests that never stop took to be ended.
#[derive(Clone, Debug)]
pub struct Runaway {
    /// What the guest does.
    pub guest: &'static str,
    /// What ends it: `deadline` or `out_of_fuel`.
    pub ended_by: &'static str,
    /// Whether twice as many other guests as there are cores wanted them as well.
    pub loaded: bool,
    /// Beyond the deadline; for fuel, which is no time, from the call to its end.
    pub time: Option<Spread>,
    /// The first end that was of another kind.
    pub wrong: Option<String>,
}

struct Guest {
    name: &'static str,
    bytes: Vec<u8>,
    ended_by: &'static str,
    samples: usize,
}

/// Measures each kind of guest, idle and then under load.
pub(crate) fn runaways(
    ground: &Ground,
    samples: usize,
    mut progress: impl FnMut(&str),
) -> Result<Vec<Runaway>, RedteamError> {
    let guests = guests(ground, samples);
    let mut runaways = Vec::new();
    for loaded in [false, true] {
        let load = if loaded { Some(Load::start(ground)?) } else { None };
        for guest in &guests {
            progress(guest.name);
            runaways.push(runaway(ground, guest, loaded));
        }
        drop(load);
    }
    Ok(runaways)
}

fn guests(ground: &Ground, samples: usize) -> Vec<Guest> {
    let pages = ground.limits().memory_bytes_max >> 16;
    let endless = || guest::filter("", "(loop $again (br $again))");
    let fill = || {
        guest::filter(
            "",
            &format!(
                "(drop (memory.grow (i32.const {})))
                 (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.shl (memory.size) (i32.const 16)))
                   (br $again))",
                pages.saturating_sub(1)
            ),
        )
    };
    let flood = || guest::filter("", "(loop $again (drop (call $get_i64 (i32.const 0) (i32.const 0))) (br $again))");
    let few = samples.div_ceil(5);
    [
        ("endless loop", endless(), "deadline", samples),
        ("memory.fill loop", fill(), "deadline", few),
        ("host-call flood", flood(), "deadline", few),
        ("endless loop", endless(), "out_of_fuel", few),
        ("memory.fill loop", fill(), "out_of_fuel", few),
        ("host-call flood", flood(), "out_of_fuel", few),
    ]
    .into_iter()
    .map(|(name, bytes, ended_by, samples)| Guest { name, bytes, ended_by, samples })
    .collect()
}

fn runaway(ground: &Ground, guest: &Guest, loaded: bool) -> Runaway {
    let &Guest { name, ref bytes, ended_by, samples } = guest;
    let limits = match ended_by {
        "deadline" => measured(ground).with(|it| {
            it.fuel_batch_max = None;
            it.deadline_ms_max = DEADLINE_MS;
        }),
        _ => measured(ground).with(|it| {
            it.fuel_batch_max = Some(FUEL);
            it.deadline_ms_max = 10_000;
        }),
    };
    let (mut times, mut wrong) = (Vec::new(), None);
    match repeat(ground, bytes, limits, samples) {
        Ok(ends) => {
            for end in ends {
                match end {
                    Some(end) if end.code == ended_by => times.push(end.beyond.unwrap_or(end.after)),
                    Some(end) => wrong = wrong.or(Some(format!("ended by {}: {}", end.code, end.text))),
                    None => wrong = wrong.or(Some("answered".to_owned())),
                }
            }
        }
        Err(text) => wrong = Some(text),
    }
    Runaway { guest: name, ended_by, loaded, time: Spread::of(times), wrong }
}

/// Limits of the guests that are measured: the tenant's own where they do not decide what is measured.
fn measured(ground: &Ground) -> Limits {
    Limits::clone(ground.limits()).with(|it| {
        it.deadline_init_ms_max = 10_000;
        it.trap_pause_ms_max = 0;
    })
}

/// Calls a guest again and again; `None` for a call that was answered.
fn repeat(ground: &Ground, bytes: &[u8], limits: Limits, samples: usize) -> Result<Vec<Option<End>>, String> {
    let attacker = Attacker::new(ground.engine(), tenant("runaway"), &Arc::new(limits.clone()), ground.batch());
    let module = ground.engine().admit(&tenant("runaway"), bytes, &limits);
    let module = module.map_err(|refusal| format!("refused: {refusal}"))?;
    let mut instance = attacker.instance(&module)?;
    let batch = Arc::clone(ground.batch());
    let calls = ground.spawn(async move {
        let mut ends = Vec::with_capacity(samples);
        for _ in 0..samples {
            let started = Instant::now();
            let called = instance.call(&batch).await;
            ends.push(called.err().map(|error| End::new(&error, started.elapsed())));
        }
        ends
    });
    // A deadline each, and that may be late.
    let patience =
        ground.patience() + 2 * Duration::from_millis(limits.deadline_ms_max) * u32::try_from(samples).unwrap_or(1);
    match ground.block_on(async { tokio::time::timeout(patience, calls).await }) {
        Ok(Ok(ends)) => Ok(ends),
        Ok(Err(panicked)) => Err(format!("a task of the host ended: {panicked}")),
        Err(_) => Err(format!("still running after {} s", patience.as_secs())),
    }
}

/// As many other guests as there are two for each core: one that never stops, and one that works.
struct Load {
    runaways: Vec<tokio::task::JoinHandle<()>>,
    victims: Vec<Victim>,
}

impl Load {
    fn start(ground: &Ground) -> Result<Load, RedteamError> {
        let limits = measured(ground).with(|it| {
            it.fuel_batch_max = None;
            it.deadline_ms_max = 1_000;
        });
        let bytes = guest::filter("", "(loop $again (br $again))");
        let mut load = Load { runaways: Vec::new(), victims: Vec::new() };
        for number in 0..process::cores() {
            let name = tenant(&format!("load_{number}"));
            let failed = |error: String| RedteamError::Victim(error);
            let module = ground.engine().admit(&name, &bytes, &limits).map_err(|error| failed(error.to_string()))?;
            let attacker = Attacker::new(ground.engine(), name, &Arc::new(limits.clone()), ground.batch());
            let mut instance = attacker.instance(&module).map_err(failed)?;
            let batch = Arc::clone(ground.batch());
            load.runaways.push(ground.spawn(async move {
                // Ended by its deadline each time, until it is aborted.
                while instance.call(&batch).await.is_err() {}
            }));
            let victim = Victim::start(ground, &format!("busy_{number}"), Pace::BackToBack)?;
            victim.resume();
            load.victims.push(victim);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for runaway in &self.runaways {
            runaway.abort();
        }
        // The victims end by themselves.
        self.victims.clear();
    }
}
