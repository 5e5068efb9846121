//! A guest function over one schema, called on the thread of the bench.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Runtime;
use weir_batch::{Batch, Schema};
use weir_sandbox::{Carry, Engine, Instance, Limits, Outcome, TenantId};
use weir_tests::guest_module;

/// One instance of one function.
pub struct Guest {
    instance: Instance,
}

impl Guest {
    /// The function of a built module, bound to this schema, its parameters at their defaults.
    ///
    /// # Panics
    ///
    /// Where the module is not built, or the function does not fit: a bench has nobody to report to.
    pub fn new(engine: &Engine, module: &str, function: &str, schema: &Arc<Schema>) -> Guest {
        let bytes = guest_module(module).expect("a built guest");
        let tenant: TenantId = "bench".parse().expect("a tenant");
        let limits = Limits::default();
        let module = engine.admit(&tenant, &bytes, &limits).expect("an admitted module");
        let function = module.manifest().functions.iter().find(|declared| declared.name == function);
        let function = function.expect("the function");
        let bound = function.bind(schema, &Carry::None, &BTreeMap::new()).expect("a function that fits");
        Guest { instance: Instance::new(&module, &Arc::new(bound), &limits) }
    }

    /// Runs the function over a batch.
    ///
    /// # Panics
    ///
    /// Where the guest fails.
    pub fn call(&mut self, runtime: &Runtime, batch: &Arc<Batch>) -> Outcome {
        runtime.block_on(self.instance.call(batch)).expect("an answer")
    }
}

/// An async runtime that uses the calling thread alone.
///
/// # Panics
///
/// Where the system has no room for one.
pub fn one_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
