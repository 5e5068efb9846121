//! Rows of the catalogue that need the host's side: an engine of their own, or a count of what it holds.

mod cache_poisoning;
mod compiler_crash;
mod crash_loop;
mod determinism;
mod holding_batch;
mod leftovers;
mod pool_exhaustion;
mod starved_ticker;
mod upload_flood;
mod uploads;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use weir_batch::Schema;
use weir_hostile::Class;
use weir_sandbox::{CallError, Carry, Engine, EngineConfig, Instance, Limits, Module};

use crate::ground::{Ground, tenant};

/// Every procedure, by its row.
pub const PROCEDURES: &[Procedure] = &[
    starved_ticker::PROCEDURE,
    upload_flood::PROCEDURE,
    compiler_crash::PROCEDURE,
    uploads::COMPONENT,
    uploads::PRECOMPILED,
    uploads::TEXT,
    crash_loop::PROCEDURE,
    leftovers::PROCEDURE,
    determinism::PROCEDURE,
    holding_batch::PROCEDURE,
    pool_exhaustion::PROCEDURE,
    cache_poisoning::PROCEDURE,
];

/// A row of the catalogue that needs the host's side. It runs under limits of its own: what it asks is how the host
/// behaves, not how tight a tenant's limits are.
#[derive(Clone, Copy, Debug)]
pub struct Procedure {
    /// The row of the catalogue.
    pub row: u8,
    /// The name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// What it is aimed at.
    pub class: Class,
    /// What should come of it.
    pub expected: &'static str,
    steps: fn(&Ground) -> Finding,
}

/// What held, or what did not.
pub type Finding = Result<String, Broken>;

/// Something that should have held and did not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl Procedure {
    /// Runs it. A panic is a finding like others.
    pub fn run(&self, ground: &Ground) -> Finding {
        catch_unwind(AssertUnwindSafe(|| (self.steps)(ground))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(Broken(format!("panicked: {text}")))
        })
    }
}

/// Fails with this text where it does not hold.
fn hold(holds: bool, text: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(text())) }
}

/// Says at which step something failed.
fn at<E: Display>(step: &'static str) -> impl Fn(E) -> Broken {
    move |error| Broken(format!("{step}: {error}"))
}

/// The code of a call that should have failed.
fn code<T>(step: &str, called: Result<T, CallError>) -> Result<&'static str, Broken> {
    match called {
        Ok(_) => Err(Broken(format!("{step}: answered"))),
        Err(error) => Ok(error.code()),
    }
}

/// An engine with so few slots that they are used again at once.
fn small_engine(slots: u32) -> Result<Engine, Broken> {
    let config = EngineConfig::default().with(|it| it.instances_max = slots);
    Engine::new(&config).map_err(at("a small engine"))
}

/// Limits of the procedures: the defaults, in the tenant's tier.
fn limits(ground: &Ground) -> Limits {
    Limits::default().with(|it| {
        it.trap_pause_ms_max = 0;
        it.hardened = ground.limits().hardened;
    })
}

fn admit(engine: &Engine, name: &str, wasm: &[u8], limits: &Limits) -> Result<Arc<Module>, Broken> {
    engine.admit(&tenant(name), wasm, limits).map_err(at("upload"))
}

/// The first function of a module over this schema.
fn instance(module: &Arc<Module>, schema: &Arc<Schema>, limits: &Limits) -> Result<Instance, Broken> {
    let function = module.manifest().functions.first().ok_or_else(|| Broken("no function".to_owned()))?;
    let bound = function.bind(schema, &Carry::None, &BTreeMap::new());
    let bound = bound.map_err(|errors| Broken(format!("bind: {errors:?}")))?;
    Ok(Instance::new(module, &Arc::new(bound), limits))
}
