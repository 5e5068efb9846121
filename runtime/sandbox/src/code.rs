//! Compiled code for instances.

use wasmtime::{InstancePre, Linker};
use weir_admission::CapExceeded;
use weir_text::escape_to;

use crate::state::StoreData;
use crate::{Limits, Refusal, Tier};

/// Code that can be instantiated.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) pre: InstancePre<StoreData>,
    /// The number of instances in the pool of its engine.
    pub(crate) pool_instances: u32,
    pub(crate) tier: Tier,
    pub(crate) native_bytes: usize,
}

impl Code {
    pub(crate) fn new(
        linker: &Linker<StoreData>,
        compiled: &wasmtime::Module,
        tier: Tier,
        pool_instances: u32,
        limits: &Limits,
    ) -> Result<Code, Refusal> {
        let image = compiled.image_range();
        let native_bytes = (image.end as usize).saturating_sub(image.start as usize);
        // Code that is not optimised is up to twice as large, but usually used only briefly.
        let most = match tier {
            Tier::Baseline => limits.native_bytes_max.saturating_mul(2),
            Tier::Optimised => limits.native_bytes_max,
        };
        if native_bytes > most {
            return Err(Refusal::TooLarge(CapExceeded::of_native_code(most, native_bytes)));
        }
        let pre = linker
            .instantiate_pre(compiled)
            .map_err(|error| Refusal::Compile(escape_to(&format!("{error:#}"), 400)))?;
        Ok(Code { pre, pool_instances, tier, native_bytes })
    }
}
