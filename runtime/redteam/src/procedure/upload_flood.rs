//! Row 20: one tenant hands in modules without end, and another one's is compiled all the same.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use weir_hostile::Class;
use weir_sandbox::Engine;

use super::{Finding, Procedure, at, hold, limits};
use crate::ground::{Ground, tenant};
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 20,
    name: "upload_flood",
    title: "uploads from 24 threads at once, each module new",
    class: Class::Compile,
    expected: "taken in turn with other tenants', refused beyond a queue",
    steps,
};

/// More than may wait for one tenant.
const THREADS: u64 = 24;
const UPLOADS: usize = 5;

fn steps(ground: &Ground) -> Finding {
    let engine = Engine::new(ground.config()).map_err(at("an engine"))?;
    let limits = limits(ground);
    let (stop, number) = (AtomicBool::new(false), AtomicU64::new(0));
    let (admitted, busy) = (AtomicU64::new(0), AtomicU64::new(0));
    // No two of these modules are the same.
    let module = |number: u64| guest::filter("", &format!("(drop (i64.const {number}))"));
    let waited = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let bytes = module(number.fetch_add(1, Ordering::Relaxed));
                    match engine.admit(&tenant("flood"), &bytes, &limits) {
                        Ok(_) => admitted.fetch_add(1, Ordering::Relaxed),
                        Err(_) => busy.fetch_add(1, Ordering::Relaxed),
                    };
                    if busy.load(Ordering::Relaxed) > 0 {
                        // A client that was asked to come back later does not do so at once.
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        let uploads = (0..UPLOADS).map(|_| {
            let started = Instant::now();
            let bytes = module(number.fetch_add(1, Ordering::Relaxed));
            engine.admit(&tenant("other"), &bytes, &limits).map_err(at("another tenant's upload"))?;
            Ok(started.elapsed())
        });
        let waited = uploads.collect::<Result<Vec<_>, _>>();
        stop.store(true, Ordering::Relaxed);
        waited
    })?;
    let longest = waited.into_iter().max().unwrap_or_default();
    let (admitted, busy) = (admitted.into_inner(), busy.into_inner());
    hold(busy > 0, || format!("{THREADS} uploads at once, and none was refused"))?;
    // A turn each: behind two compilations at the most, of modules that take milliseconds.
    hold(longest < Duration::from_secs(10), || format!("another tenant's module took {longest:?}"))?;
    Ok(format!(
        "{admitted} of the flood admitted and {busy} refused (compile_busy); {UPLOADS} of another tenant admitted, the \
         slowest after {:.0} ms",
        longest.as_secs_f64() * 1e3
    ))
}
