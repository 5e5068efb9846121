//! Row 69: when every slot is taken, a caller that needs one gets an error, and no other tenant notices.

use weir_hostile::Class;

use super::{Finding, Procedure, admit, at, code, hold, instance, limits, small_engine};
use crate::ground::Ground;
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 69,
    name: "pool_exhaustion",
    title: "more instances than the pool has slots",
    class: Class::Life,
    expected: "ended: pool_exhausted, others go on, a slot that is given back can be had",
    steps,
};

const SLOTS: u32 = 4;

fn steps(ground: &Ground) -> Finding {
    let engine = small_engine(SLOTS)?;
    let limits = limits(ground);
    let (schema, batch) = (ground.batch().schema(), ground.batch());
    let module = admit(&engine, "pool", &guest::filter("", ""), &limits)?;
    let mut holders = Vec::new();
    for _ in 0..SLOTS {
        let mut instance = instance(&module, schema, &limits)?;
        ground.block_on(instance.call(batch)).map_err(at("a guest that has a slot to itself"))?;
        holders.push(instance);
    }
    let mut late = instance(&module, schema, &limits)?;
    for _ in 0..3 {
        let code = code("one more than there are slots", ground.block_on(late.call(batch)))?;
        hold(code == "pool_exhausted", || format!("one more than there are slots: {code}"))?;
        for holder in &mut holders {
            ground.block_on(holder.call(batch)).map_err(at("a guest that holds a slot"))?;
            hold(holder.instantiations() == 1, || "a guest that holds a slot lost its instance".to_owned())?;
        }
    }
    drop(holders.pop());
    ground.block_on(late.call(batch)).map_err(at("after a slot was given back"))?;
    Ok(format!("pool_exhausted at {SLOTS} of {SLOTS}, others went on, and a slot given back was had"))
}
