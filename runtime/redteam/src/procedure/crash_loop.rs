//! Row 63: a guest that traps a thousand times in a row costs what it costs once.

use weir_hostile::Class;
use weir_sandbox::Limits;

use super::{Finding, Procedure, admit, at, code, hold, instance, limits, small_engine};
use crate::ground::Ground;
use crate::{ProcessSize, guest};

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 63,
    name: "crash_loop",
    title: "1,000 traps in a row, each after taking memory",
    class: Class::Life,
    expected: "a new instance each time, no memory kept, every slot free afterwards",
    steps,
};

const TRAPS: u64 = 1_000;
const SLOTS: u32 = 4;
/// A leak of one page a trap would be seven times as much.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

fn steps(ground: &Ground) -> Finding {
    let engine = small_engine(SLOTS)?;
    let limits: Limits = limits(ground);
    let schema = ground.batch().schema();
    // A MiB, touched.
    let traps = "(drop (memory.grow (i32.const 15)))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)) (unreachable)";
    let module = admit(&engine, "crash_loop", &guest::filter("", traps), &limits)?;
    let mut crashing = instance(&module, schema, &limits)?;
    let mut warm = None;
    for trap in 0..TRAPS {
        let code = code("a trap", ground.block_on(crashing.call(ground.batch())))?;
        hold(code == "unreachable", || format!("trap {trap} ended with {code}"))?;
        if trap == TRAPS / 10 {
            warm = Some(ProcessSize::now().map_err(at("/proc"))?);
        }
    }
    let end = ProcessSize::now().map_err(at("/proc"))?;
    let grown = warm.map_or(0, |warm| end.resident_bytes.saturating_sub(warm.resident_bytes));
    hold(grown <= GROWTH_BYTES_MAX, || format!("the resident set grew by {grown} bytes"))?;
    let made = crashing.instantiations();
    hold(made == TRAPS, || format!("{made} instances for {TRAPS} traps"))?;

    // The one that crashed still lives, and holds no slot.
    let module = admit(&engine, "good", &guest::filter("", ""), &limits)?;
    let mut good = Vec::new();
    for slot in 0..SLOTS {
        let mut instance = instance(&module, schema, &limits)?;
        ground.block_on(instance.call(ground.batch())).map_err(at("a good guest afterwards"))?;
        hold(instance.instantiations() == 1, || format!("slot {slot} was not to be had at once"))?;
        good.push(instance);
    }
    Ok(format!("{made} instances, the resident set grew by {} KiB, {SLOTS} of {SLOTS} slots free", grown >> 10))
}
