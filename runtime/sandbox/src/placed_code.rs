//! Code in the window of a process, as the supervisor describes it.

use crate::{CodeOrigin, CodePlace, CompileCost, Tier};

/// Code in the window of this process's engine, as the supervisor describes it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlacedCode {
    /// Where it is.
    pub place: CodePlace,
    /// How much work went into it.
    pub tier: Tier,
    /// Where the supervisor had it from. Default: the compiler.
    pub origin: CodeOrigin,
    /// What compiling took. Default: nothing.
    pub cost: CompileCost,
    /// Whether [`Engine::improve_in_place`](crate::Engine::improve_in_place) will be called. Default: no.
    pub better_follows: bool,
}

impl PlacedCode {
    /// Code of a compiler, to which nothing follows.
    pub fn new(place: CodePlace, tier: Tier) -> PlacedCode {
        PlacedCode { place, tier, origin: CodeOrigin::Compiler, cost: CompileCost::default(), better_follows: false }
    }
}
