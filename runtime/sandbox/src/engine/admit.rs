//! From a module's bytes to code that can run.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use weir_admission::{Apart, Artefact, CacheKey, check, compile_here};

use super::Engine;
use crate::presence::Presence;
use crate::{CodeOrigin, CompileCost, Compiler, Limits, Module, ModuleDigest, Refusal, TenantId, Tier};

impl Engine {
    /// Checks a module, and finds or makes code for it. Nothing of it runs. Takes milliseconds to seconds of the calling
    /// thread. With a worker, the code is that of [`Tier::Baseline`] at first, and better code takes its place when it
    /// is there: see [`Module::wait_optimised`]. A tenant of which more than 32 modules in a row were refused waits up to
    /// 128 ms before the next one is looked at, or up to its `trap_pause_ms_max`.
    ///
    /// # Errors
    ///
    /// The first thing that keeps the module from being admitted.
    pub fn admit(&self, tenant: &TenantId, bytes: &[u8], limits: &Limits) -> Result<Arc<Module>, Refusal> {
        limits.validate()?;
        let presence = self.inner.presences.of(tenant, limits);
        let pause = presence.upload_pause(limits);
        if !pause.is_zero() {
            tracing::warn!(%tenant, "several modules in a row were refused: the next one waits {} ms", pause.as_millis());
            thread::sleep(pause);
        }
        let admitted = self.admit_now(tenant, bytes, limits, Arc::clone(&presence));
        self.inner.presences.judge_upload(tenant, &presence, admitted.is_ok());
        admitted
    }

    /// Has the supervisor put the code into the window. What is wrong with the module is found here, before anything is compiled.
    fn admit_by_source(&self, tenant: &TenantId, bytes: &[u8], limits: &Limits) -> Result<Arc<Module>, Refusal> {
        let Some(source) = &self.inner.config.code_source else {
            return Err(Refusal::Engine("this engine runs code of its code window only".to_owned()));
        };
        check(bytes, limits)?;
        let (send, module) = std::sync::mpsc::channel::<std::sync::Weak<Module>>();
        let (engine, same_limits) = (self.clone(), limits.clone());
        let better = move |better: Result<crate::PlacedCode, Refusal>| {
            // The module is made as soon as its first code is there, or never.
            let Some(module) = module.recv().ok().and_then(|module| module.upgrade()) else { return };
            let improved = match better {
                Ok(code) => engine.improve_in_place(&module, &same_limits, Ok(&code)),
                Err(refusal) => engine.improve_in_place(&module, &same_limits, Err(refusal)),
            };
            // The module says so itself, and goes on with what it has.
            improved.ok();
        };
        let code = source.0.place(tenant, bytes, limits, Box::new(better))?;
        let module = self.admit_in_place(tenant, bytes, limits, &code)?;
        send.send(Arc::downgrade(&module)).ok();
        Ok(module)
    }

    fn admit_now(
        &self,
        tenant: &TenantId,
        bytes: &[u8],
        limits: &Limits,
        presence: Arc<Presence>,
    ) -> Result<Arc<Module>, Refusal> {
        if let Some(reason) = presence.quarantined() {
            return Err(Refusal::Quarantined { reason });
        }
        if self.inner.config.window.is_some() {
            return self.admit_by_source(tenant, bytes, limits);
        }
        let admitted = check(bytes, limits)?;
        let started = Instant::now();
        let variant = self.variant(limits.hardened)?;
        let digest = ModuleDigest::of(bytes);
        let key = CacheKey::new(&variant.engine, variant.settings, tenant, digest);
        let most = (limits.native_bytes_max as u64).saturating_mul(4).saturating_add(4 << 20);
        if let Some(found) = self.inner.cache.as_ref().and_then(|cache| cache.find(&key, most)) {
            let code = variant.code(&found.code, found.tier, limits)?;
            let mut cost = CompileCost::default();
            cost.time = started.elapsed();
            return Ok(Module::new(
                self,
                tenant,
                digest,
                bytes.len(),
                admitted,
                presence,
                code,
                cost,
                CodeOrigin::Cache,
            ));
        }
        let pass = self.inner.turnstile.enter(tenant)?;
        let made = |artefact: &Artefact| variant.code(&artefact.code, artefact.tier, limits);
        let module = |artefact: &Artefact, code| {
            let cost = artefact.cost;
            Module::new(self, tenant, digest, bytes.len(), admitted, presence, code, cost, CodeOrigin::Compiler)
        };
        match &self.inner.config.compiler {
            Compiler::InProcess => {
                let artefact = match self.inner.config.optimise {
                    true => compile_here(&variant.engine, Tier::Optimised, bytes)?,
                    false => {
                        let config = variant.settings.compiler(Tier::Baseline);
                        let engine = wasmtime::Engine::new(&config);
                        let engine = engine.map_err(|error| Refusal::Engine(format!("{error:#}")))?;
                        compile_here(&engine, Tier::Baseline, bytes)?
                    }
                };
                let code = made(&artefact)?;
                self.keep(&key, &artefact);
                Ok(module(&artefact, code))
            }
            Compiler::Worker { program, arguments } => {
                let optimise = self.inner.config.optimise;
                let worker = Apart::start(program, arguments, variant.settings, bytes, limits, optimise)?;
                let artefact = worker.first()?;
                let code = made(&artefact)?;
                let module = module(&artefact, code);
                if !optimise {
                    self.keep(&key, &artefact);
                    return Ok(module);
                }
                module.expect_better();
                let (weak, engine, limits) = (Arc::downgrade(&module), self.clone(), limits.clone());
                worker.then(move |better| {
                    // The pass is kept until the worker is done.
                    let _pass = pass;
                    let better = better.and_then(|artefact| {
                        let code = engine.variant(limits.hardened)?.code(&artefact.code, artefact.tier, &limits)?;
                        Ok((code, artefact))
                    });
                    let kept = better.as_ref().map_or(&artefact, |(_, better)| better);
                    engine.keep(&key, kept);
                    if let Some(module) = weak.upgrade() {
                        module.improve(better.map(|(code, artefact)| (code, artefact.cost)));
                    }
                });
                Ok(module)
            }
        }
    }

    fn keep(&self, key: &CacheKey, artefact: &Artefact) {
        if let Some(cache) = &self.inner.cache {
            cache.keep(key, artefact.tier, &artefact.code);
        }
    }
}
