//! Compiles for other processes, which run the code in windows of their own.

use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use super::apart::Apart;
use super::cache::{Cache, CacheKey};
use super::cost::CompileCost;
use super::load::Trusted;
use super::settings::{CodeSettings, Tier};
use super::turnstile::Turnstile;
use crate::{Limits, ModuleDigest, Refusal, TenantId};

/// Code that was made for another process.
#[non_exhaustive]
pub struct ServedCode {
    /// How much work went into it.
    pub tier: Tier,
    /// The code.
    pub code: Trusted,
    /// What compiling took; nothing for code of the cache.
    pub cost: CompileCost,
    /// Whether it was in the cache.
    pub is_cached: bool,
    /// Whether optimised code follows, or the reason why it could not be made.
    pub better_follows: bool,
}

/// Compiles modules in worker processes, and keeps the code. It looks at no byte of a module: the process that asks has checked the
/// module, and the compile worker, confined, is the last word.
pub struct CompileService {
    program: PathBuf,
    arguments: Vec<String>,
    cache: Option<Cache>,
    turnstile: Arc<Turnstile>,
    // One for each kind of code. They compile nothing: what fits them fits the engines of the other processes.
    engines: Mutex<Vec<(CodeSettings, wasmtime::Engine)>>,
}

impl CompileService {
    /// With the program that calls [`compile_worker`](crate::compile_worker), and this many modules at once, of different tenants.
    pub fn new(program: PathBuf, arguments: Vec<String>, cache: Option<Cache>, at_once: usize) -> CompileService {
        CompileService { program, arguments, cache, turnstile: Turnstile::new(at_once), engines: Mutex::default() }
    }

    /// Makes or finds the code of a tenant's module, for engines of these settings, and hands it over: once, or twice where the first
    /// says that better code follows. Takes milliseconds to seconds of the calling thread.
    ///
    /// # Errors
    ///
    /// A module that the compiler refuses, or on which it ended. After the first code that was handed over, the error is only that there
    /// is no better one.
    pub fn compile(
        &self,
        tenant: &TenantId,
        module: &[u8],
        limits: &Limits,
        settings: CodeSettings,
        mut serve: impl FnMut(ServedCode),
    ) -> Result<(), Refusal> {
        let key = CacheKey::new(&self.engine(settings)?, settings, tenant, ModuleDigest::of(module));
        let most = (limits.native_bytes_max as u64).saturating_mul(4).saturating_add(4 << 20);
        if let Some(found) = self.cache.as_ref().and_then(|cache| cache.find(&key, most)) {
            let cost = CompileCost::default();
            serve(ServedCode { tier: found.tier, code: found.code, cost, is_cached: true, better_follows: false });
            return Ok(());
        }
        let _pass = self.turnstile.enter(tenant)?;
        let worker = Apart::start(&self.program, &self.arguments, settings, module, limits, true)?;
        let first = worker.first()?;
        let served = |artefact: super::Artefact, better_follows| ServedCode {
            tier: artefact.tier,
            code: artefact.code,
            cost: artefact.cost,
            is_cached: false,
            better_follows,
        };
        let (send, better) = mpsc::channel();
        // Nobody waits any more where this process ends.
        worker.then(move |better| drop(send.send(better)));
        let keep = |tier, code: &Trusted| self.cache.iter().for_each(|cache| cache.keep(&key, tier, code));
        let (tier, code) = (first.tier, Trusted::vouch(first.code.bytes().to_vec()));
        serve(served(first, true));
        match better.recv().unwrap_or_else(|_| Err(Refusal::Worker("its thread ended".to_owned()))) {
            Ok(better) => {
                keep(better.tier, &better.code);
                serve(served(better, false));
                Ok(())
            }
            Err(refusal) => {
                keep(tier, &code);
                Err(refusal)
            }
        }
    }

    fn engine(&self, settings: CodeSettings) -> Result<wasmtime::Engine, Refusal> {
        // Each change is one push.
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, engine)) = engines.iter().find(|(known, _)| *known == settings) {
            return Ok(engine.clone());
        }
        let engine = wasmtime::Engine::new(&settings.compiler(Tier::Optimised));
        let engine = engine.map_err(|error| Refusal::Engine(format!("{error:#}")))?;
        engines.push((settings, engine.clone()));
        Ok(engine)
    }
}
