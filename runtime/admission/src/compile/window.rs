//! Code that a supervisor made and this process runs where it lies.
#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "wasmtime trusts precompiled code, so that loading it is the caller's responsibility"
    )
)]

#[cfg(target_os = "linux")]
use std::sync::Arc;

use weir_confine::CodePlace;
#[cfg(target_os = "linux")]
use weir_confine::MappedWindow;

use crate::Refusal;

/// A code window that this process was handed by its supervisor. An engine with one makes no memory executable: it runs code of the
/// window, and refuses all other.
#[cfg(target_os = "linux")]
#[derive(Clone, Debug)]
pub struct TrustedWindow(Arc<MappedWindow>);

#[cfg(target_os = "linux")]
impl TrustedWindow {
    /// States whose window it is.
    ///
    /// # Safety
    ///
    /// Whoever can write to the window writes nothing but unmodified output of [`wasmtime::Engine::precompile_module`], and never
    /// changes what it wrote: the window was made by the supervisor of this process, as [`CodeWindow`](weir_confine::CodeWindow)
    /// does it, and the supervisor authenticates code before it puts it there. Places that are loaded are those that the
    /// supervisor named: data of a module may look like other code.
    pub unsafe fn new(window: MappedWindow) -> TrustedWindow {
        TrustedWindow(Arc::new(window))
    }

    /// Has an engine run code of this window, and no other.
    pub fn set_up(&self, config: &mut wasmtime::Config) {
        config.with_custom_code_memory(Some(Arc::new(self.clone())));
    }

    /// Loads code where it lies, without a copy. The engine must have been [set up](TrustedWindow::set_up) with this window.
    ///
    /// # Errors
    ///
    /// A place outside of the window; code of another version, other settings or another processor.
    pub fn load(&self, engine: &wasmtime::Engine, place: CodePlace) -> Result<wasmtime::Module, Refusal> {
        let code = self.0.code(place).map_err(|error| Refusal::Engine(error.to_string()))?;
        // SAFETY: `deserialize_raw` asks for unmodified output of `precompile_module` that lasts as long as the module and is not
        // changed. The contract of `new` says so of the places that the supervisor named, which are the only ones that are loaded.
        // The window is mapped until this process ends.
        let loaded = unsafe { wasmtime::Module::deserialize_raw(engine, code) };
        loaded.map_err(|error| Refusal::Compile(weir_text::escape_to(&format!("{error:#}"), 400)))
    }
}

#[cfg(target_os = "linux")]
impl PartialEq for TrustedWindow {
    fn eq(&self, other: &TrustedWindow) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(target_os = "linux")]
impl Eq for TrustedWindow {}

/// The window is executable from the begin, and stays so.
#[cfg(target_os = "linux")]
impl wasmtime::CustomCodeMemory for TrustedWindow {
    fn required_alignment(&self) -> usize {
        rustix::param::page_size()
    }

    fn publish_executable(&self, begin: *const u8, bytes: usize) -> wasmtime::Result<()> {
        if !self.0.contains(begin, bytes) {
            return Err(wasmtime::Error::msg("this process runs code of its code window only"));
        }
        see_new_code(begin, bytes)
    }

    fn unpublish_executable(&self, _begin: *const u8, _bytes: usize) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// Has all processors see instructions that another process wrote.
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
fn see_new_code(begin: *const u8, bytes: usize) -> wasmtime::Result<()> {
    use wasmtime_internal_jit_icache_coherence::{clear_cache, pipeline_flush_mt};
    // SAFETY: the caller found these addresses in the window, which is mapped until this process ends.
    unsafe { clear_cache(begin.cast(), bytes)? };
    pipeline_flush_mt()?;
    Ok(())
}

/// Caches of instructions follow what is written.
#[cfg(all(target_os = "linux", not(target_arch = "aarch64")))]
#[expect(clippy::unnecessary_wraps, reason = "as for other processors")]
fn see_new_code(_begin: *const u8, _bytes: usize) -> wasmtime::Result<()> {
    Ok(())
}

/// There are no windows on this system.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedWindow {}

#[cfg(not(target_os = "linux"))]
impl TrustedWindow {
    /// Never called.
    pub fn set_up(&self, _config: &mut wasmtime::Config) {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn load(&self, _engine: &wasmtime::Engine, _place: CodePlace) -> Result<wasmtime::Module, Refusal> {
        match *self {}
    }
}
