//! Modules out of text, and an engine that admits and runs them. The tests of the sandbox use this file too.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use weir_batch::Batch;
use weir_sandbox::{CallError, Engine, EngineConfig, IMPORTS, Instance, Limits, Module, Outcome, Refusal, TenantId};

/// One engine for all tests, as a process has one.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&EngineConfig::default()).unwrap())
}

pub(crate) fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

/// A module of these manifest lines and this text, every import of the contract declared.
pub(crate) fn wasm(manifest: &str, body: &str) -> Vec<u8> {
    let mut imports = String::new();
    for import in IMPORTS {
        let signature = import.to_string().replace([',', '(', ')'], "");
        let (params, result) = signature.split_once("-> ").unwrap();
        write!(imports, "(import \"weir_v1\" \"{0}\" (func ${0} (param {params}) (result {result})))", import.name)
            .unwrap();
    }
    bare_wasm(manifest, &format!("{imports} {body}"))
}

/// A module of these manifest lines and nothing but this text.
pub(crate) fn bare_wasm(manifest: &str, body: &str) -> Vec<u8> {
    let manifest: String = manifest.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    wat::parse_str(format!("(module {body} (@custom \"weir.manifest\" \"{manifest}\"))")).unwrap()
}

pub(crate) fn admit(wasm: &[u8]) -> Result<Arc<Module>, Refusal> {
    // Tests hand in what is refused by the thousand.
    engine().admit(&tenant(), wasm, &Limits::default().with(|it| it.trap_pause_ms_max = 0))
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

pub(crate) fn call(instance: &mut Instance, batch: &Arc<Batch>) -> Result<Outcome, CallError> {
    block_on(instance.call(batch))
}
