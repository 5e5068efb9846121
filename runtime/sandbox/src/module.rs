//! A tenant's admitted, compiled code.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::InstancePre;

use crate::admission::Admitted;
use crate::state::State;
use crate::{Engine, LimitExceeded, Limits, Manifest, ModuleDigest, Refusal, TenantId};

/// A tenant's admitted, compiled code with its manifest. Shared by `Arc`; instances keep it alive.
pub struct Module {
    tenant: TenantId,
    digest: ModuleDigest,
    manifest: Manifest,
    imports: Vec<String>,
    exports: Vec<String>,
    memory_bytes_min: u64,
    memory_bytes_max: Option<u64>,
    bytes_len: usize,
    native_bytes: usize,
    compile_time: Duration,
    // Keeps the ticker going for as long as instances may be made.
    engine: Engine,
    pre: InstancePre<State>,
}

impl Module {
    pub(crate) fn new(
        engine: &Engine,
        tenant: &TenantId,
        bytes: &[u8],
        admitted: Admitted,
        compiled: wasmtime::Module,
        compile_time: Duration,
        limits: &Limits,
    ) -> Result<Arc<Module>, Refusal> {
        let image = compiled.image_range();
        let native_bytes = (image.end as usize).saturating_sub(image.start as usize);
        if native_bytes > limits.native_bytes_max {
            let exceeded = LimitExceeded::bytes("native code size", limits.native_bytes_max, 0, native_bytes);
            return Err(Refusal::TooLarge(exceeded));
        }
        let pre = engine
            .linker()
            .instantiate_pre(&compiled)
            .map_err(|error| Refusal::Compile(crate::text::clean_to(&format!("{error:#}"), 400)))?;
        Ok(Arc::new(Module {
            tenant: tenant.clone(),
            digest: ModuleDigest::of(bytes),
            manifest: admitted.manifest,
            imports: admitted.imports,
            exports: admitted.exports,
            memory_bytes_min: admitted.memory_bytes_min,
            memory_bytes_max: admitted.memory_bytes_max,
            bytes_len: bytes.len(),
            native_bytes,
            compile_time,
            engine: engine.clone(),
            pre,
        }))
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// What its bytes are known by.
    pub fn digest(&self) -> ModuleDigest {
        self.digest
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The host functions that it imports, in the order of its import section.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Everything that it exports, escaped and cut.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// Linear memory at the start.
    pub fn memory_bytes_min(&self) -> u64 {
        self.memory_bytes_min
    }

    /// The most linear memory that the module itself asks for, where it says so.
    pub fn memory_bytes_max(&self) -> Option<u64> {
        self.memory_bytes_max
    }

    /// Size of the module as it was handed in.
    pub fn bytes_len(&self) -> usize {
        self.bytes_len
    }

    /// Size of what it was compiled to.
    pub fn native_bytes(&self) -> usize {
        self.native_bytes
    }

    /// How long compiling took.
    pub fn compile_time(&self) -> Duration {
        self.compile_time
    }

    /// The engine that it was compiled for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn pre(&self) -> &InstancePre<State> {
        &self.pre
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
