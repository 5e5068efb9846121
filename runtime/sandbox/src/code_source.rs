//! Where an engine that makes no code executable has code from.

use std::fmt;
use std::sync::Arc;

use crate::{Limits, PlacedCode, Refusal, TenantId};

/// Called once, with optimised code or with the reason why it could not be made.
pub type Better = Box<dyn FnOnce(Result<PlacedCode, Refusal>) + Send>;

/// The supervisor of this process, as its engine sees it: it has modules compiled, and puts their code into the window.
pub trait CodeSource: Send + Sync {
    /// Has a module's code put into the window. Blocks until it is there. Where [`PlacedCode::better_follows`], `better` is called
    /// later, from any thread; otherwise never.
    ///
    /// # Errors
    ///
    /// Why there is no code: the compiler refuses the module, or the supervisor is gone.
    fn place(&self, tenant: &TenantId, module: &[u8], limits: &Limits, better: Better) -> Result<PlacedCode, Refusal>;
}

/// A [`CodeSource`] that an engine's configuration shares. Two are equal if they are the same.
#[derive(Clone)]
pub struct SharedCodeSource(pub(crate) Arc<dyn CodeSource>);

impl SharedCodeSource {
    /// Shares it.
    pub fn new(source: impl CodeSource + 'static) -> SharedCodeSource {
        SharedCodeSource(Arc::new(source))
    }
}

impl fmt::Debug for SharedCodeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCodeSource")
    }
}

impl PartialEq for SharedCodeSource {
    fn eq(&self, other: &SharedCodeSource) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedCodeSource {}
