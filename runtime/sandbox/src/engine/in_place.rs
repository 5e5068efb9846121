//! Code that a supervisor made, run where it lies.

use std::sync::Arc;

use weir_admission::check;

use super::Engine;
use crate::code::Code;
use crate::{Limits, Module, ModuleDigest, PlacedCode, Refusal, TenantId};

impl Engine {
    /// Prepares this process for an engine that is made after the process is [confined](weir_confine::confine): opens what tells
    /// which pages a guest wrote to (`/proc/self/pagemap`, for good). Without it, memory of ended instances is cleared more slowly.
    pub fn before_confinement() {
        wasmtime::PoolingAllocationConfig::is_pagemap_scan_available();
    }

    /// Checks a module as [`Engine::admit`] does, and takes the code for it that the supervisor put into the window of this engine.
    /// The supervisor answers for its being this module's code.
    ///
    /// # Errors
    ///
    /// What keeps the module from being admitted; no code for this engine at the place; an engine without a window.
    pub fn admit_in_place(
        &self,
        tenant: &TenantId,
        bytes: &[u8],
        limits: &Limits,
        code: &PlacedCode,
    ) -> Result<Arc<Module>, Refusal> {
        limits.validate()?;
        let presence = self.inner.presences.of(tenant, limits);
        if let Some(reason) = presence.quarantined() {
            return Err(Refusal::Quarantined { reason });
        }
        let admitted = check(bytes, limits)?;
        let (made, digest) = (self.placed(code, limits)?, ModuleDigest::of(bytes));
        let PlacedCode { origin, cost, .. } = *code;
        let module = Module::new(self, tenant, digest, bytes.len(), admitted, presence, made, cost, origin);
        if code.better_follows {
            module.expect_better();
        }
        Ok(module)
    }

    /// Takes optimised code for future instances of this module, or the reason why it could not be made.
    ///
    /// # Errors
    ///
    /// Code that cannot be loaded. The module goes on with what it has.
    pub fn improve_in_place(
        &self,
        module: &Module,
        limits: &Limits,
        better: Result<&PlacedCode, Refusal>,
    ) -> Result<(), Refusal> {
        match better.map(|code| self.placed(code, limits).map(|made| (made, code.cost))) {
            Ok(Ok(better)) => module.improve(Ok(better)),
            Ok(Err(refusal)) => {
                module.improve(Err(Refusal::Engine(refusal.to_string())));
                return Err(refusal);
            }
            Err(refusal) => module.improve(Err(refusal)),
        }
        Ok(())
    }

    fn placed(&self, code: &PlacedCode, limits: &Limits) -> Result<Code, Refusal> {
        let Some(window) = &self.inner.config.window else {
            return Err(Refusal::Engine("this engine has no code window".to_owned()));
        };
        let variant = self.variant(limits.hardened)?;
        let module = window.load(&variant.engine, code.place)?;
        Code::new(&variant.linker, &module, code.tier, variant.instances_max, limits)
    }
}
