//! Admitted and compiled code of tenants.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_admission::Admitted;

use crate::code::Code;
use crate::presence::Presence;
use crate::{CodeOrigin, CompileCost, Engine, ModuleDigest, ModuleManifest, QueryShare, Refusal, TenantId, Tier};

/// A tenant's admitted, compiled code with its manifest. Shared by `Arc`; instances keep it alive.
pub struct Module {
    tenant: TenantId,
    digest: ModuleDigest,
    manifest: ModuleManifest,
    imports: Vec<String>,
    exports: Vec<String>,
    memory_bytes_min: u64,
    memory_bytes_max: Option<u64>,
    bytes_len: usize,
    origin: CodeOrigin,
    presence: Arc<Presence>,
    // Keeps the ticker running as long as instances can be created.
    engine: Engine,
    made: Mutex<Made>,
    improved: Condvar,
}

/// The current code.
struct Made {
    code: Code,
    cost: CompileCost,
    // Whether better code is being compiled.
    pending: bool,
}

impl Module {
    #[expect(clippy::too_many_arguments, reason = "each is a part of the module, and only the engine makes one")]
    pub(crate) fn new(
        engine: &Engine,
        tenant: &TenantId,
        digest: ModuleDigest,
        bytes_len: usize,
        admitted: Admitted,
        presence: Arc<Presence>,
        code: Code,
        cost: CompileCost,
        origin: CodeOrigin,
    ) -> Arc<Module> {
        Arc::new(Module {
            tenant: tenant.clone(),
            digest,
            manifest: admitted.manifest,
            imports: admitted.imports,
            exports: admitted.exports,
            memory_bytes_min: admitted.memory_bytes_min,
            memory_bytes_max: admitted.memory_bytes_max,
            bytes_len,
            origin,
            presence,
            engine: engine.clone(),
            made: Mutex::new(Made { code, cost, pending: false }),
            improved: Condvar::new(),
        })
    }

    /// Announces that [`Module::improve`] will be called.
    pub(crate) fn expect_better(&self) {
        self.made().pending = true;
    }

    /// Uses better code for new instances, or keeps the current code after an error.
    pub(crate) fn improve(&self, better: Result<(Code, CompileCost), Refusal>) {
        let mut made = self.made();
        made.pending = false;
        match better {
            Ok((code, mut cost)) => {
                made.code = code;
                cost.time = made.cost.time;
                made.cost = cost;
            }
            Err(refusal) => {
                let (tenant, module) = (&self.tenant, self.digest);
                tracing::warn!(%tenant, "module {module:.12} runs unoptimised, at about half speed: {refusal}");
            }
        }
        drop(made);
        self.improved.notify_all();
    }

    /// Waits until there is optimised code, or there will be none, or this time has passed. Returns the tier at that time. An
    /// instance keeps its code, because it keeps its memory, so waiting is useful for an instance that will live long.
    pub fn wait_optimised(&self, patience: Duration) -> Tier {
        let until = Instant::now().checked_add(patience);
        let mut made = self.made();
        while made.pending {
            let left = until.map_or(patience, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            made = self.improved.wait_timeout(made, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        made.code.tier
    }

    /// The tier of the code for new instances.
    pub fn tier(&self) -> Tier {
        self.made().code.tier
    }

    /// Whether its code was compiled or cached.
    pub fn origin(&self) -> CodeOrigin {
        self.origin
    }

    /// A new share of the cores for a query of the module's tenant: each query that competes gets as much of the tenant's
    /// part as the others.
    pub fn query_share(&self) -> QueryShare {
        QueryShare::new(&self.presence)
    }

    pub(crate) fn code(&self) -> Code {
        self.made().code.clone()
    }

    pub(crate) fn presence(&self) -> &Arc<Presence> {
        &self.presence
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        // The value under the lock is always replaced as a whole.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The owner.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> ModuleDigest {
        self.digest
    }

    /// Its manifest.
    pub fn manifest(&self) -> &ModuleManifest {
        &self.manifest
    }

    /// The imported host functions, in the order of the import section.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The names of all exports, escaped and cut.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// The initial size of the linear memory.
    pub fn memory_bytes_min(&self) -> u64 {
        self.memory_bytes_min
    }

    /// The maximum size of the linear memory according to the module, if it has one.
    pub fn memory_bytes_max(&self) -> Option<u64> {
        self.memory_bytes_max
    }

    /// The size of the module's bytes.
    pub fn bytes_len(&self) -> usize {
        self.bytes_len
    }

    /// The size of the machine code.
    pub fn native_bytes(&self) -> usize {
        self.made().code.native_bytes
    }

    /// The cost of compiling.
    pub fn compile_cost(&self) -> CompileCost {
        self.made().cost
    }

    /// The engine for which it was compiled.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Module { tenant, digest, bytes_len, .. } = self;
        f.debug_struct("Module")
            .field("tenant", tenant)
            .field("digest", digest)
            .field("bytes_len", bytes_len)
            .finish_non_exhaustive()
    }
}
