//! Where code of a module came from.

/// The origin of a module's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeOrigin {
    /// It was compiled.
    Compiler,
    /// It was in the code cache, and was authenticated.
    Cache,
}
