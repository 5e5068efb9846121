//! The one place where bytes become machine code of this process.
#![expect(unsafe_code, reason = "wasmtime trusts precompiled code, so that loading it is the caller's responsibility")]

use crate::Refusal;

/// Code that may be loaded: made by this process, or authenticated with a key that nobody else had when it was made.
///
/// Only `job.rs` (its own compiler, and a worker's answer under a key made for it alone) and `cache.rs` (a file under
/// the cache's key) make one.
pub struct Trusted(Vec<u8>);

impl Trusted {
    /// States that these bytes came out of [`wasmtime::Engine::precompile_module`], and nothing touched them since.
    pub(super) fn vouch(bytes: Vec<u8>) -> Trusted {
        Trusted(bytes)
    }

    /// The code, to be put into a code window.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Loads code. That it was made by this version of wasmtime, for these settings and this kind of processor, is checked by
/// wasmtime.
///
/// # Errors
///
/// Code of another version, other settings or another processor.
pub fn load(engine: &wasmtime::Engine, code: &Trusted) -> Result<wasmtime::Module, Refusal> {
    // SAFETY: `deserialize` asks for unmodified output of `precompile_module`, which is what a `Trusted` is: it is made
    // only by `vouch`, in the two files named above, and its bytes cannot be changed. They are copied from memory, so
    // that no file can change under the code.
    let loaded = unsafe { wasmtime::Module::deserialize(engine, &code.0) };
    loaded.map_err(|error| Refusal::Compile(weir_text::escape_to(&format!("{error:#}"), 400)))
}
