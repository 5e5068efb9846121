//! Row 10: fuel ends a guest where the ticker does not come.

use std::time::{Duration, Instant};

use weir_hostile::Class;
use weir_sandbox::{Engine, EngineConfig};

use super::{Finding, Procedure, admit, at, code, hold, instance, limits};
use crate::ground::Ground;
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 10,
    name: "starved_ticker",
    title: "an endless loop while the ticker comes once a second",
    class: Class::Cpu,
    expected: "ended: out_of_fuel, long before the ticker comes",
    steps,
};

const TICK_MS: u64 = 1_000;

fn steps(ground: &Ground) -> Finding {
    let config = EngineConfig::default().with(|it| {
        it.epoch_tick_ms = TICK_MS;
        it.instances_max = 4;
    });
    let engine = Engine::new(&config).map_err(at("an engine with a slow ticker"))?;
    let limits = limits(ground).with(|it| {
        it.fuel_batch_max = Some(10_000_000);
        it.deadline_ms_max = 10;
    });
    let module = admit(&engine, "starved_ticker", &guest::filter("", "(loop $again (br $again))"), &limits)?;
    let mut instance = instance(&module, ground.batch().schema(), &limits)?;
    // The best of three: the machine may be busy, and the ticker may just have come.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let code = code("an endless loop", ground.block_on(instance.call(ground.batch())))?;
        let time = started.elapsed();
        if code == "out_of_fuel" {
            best = best.min(time);
        } else {
            // The ticker came in the middle, and the deadline of 10 ms had passed.
            hold(code == "deadline", || format!("ended: {code}"))?;
        }
    }
    hold(best < Duration::from_millis(TICK_MS / 2), || format!("out_of_fuel, and only after {best:?}"))?;
    Ok(format!("out_of_fuel after {:.1} ms", best.as_secs_f64() * 1e3))
}
