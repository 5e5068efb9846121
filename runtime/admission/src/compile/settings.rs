//! How code is made, and the settings that wasmtime gets for it.

use bincode::{Decode, Encode};
use wasmtime::{Config, OptLevel, RegallocAlgorithm, Strategy, WasmBacktraceDetails};

use crate::limits::HARDENED_MEMORY_BYTES;

/// How much work went into a module's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub enum Tier {
    /// As little as possible: no optimisation, registers allotted in a single pass. Takes time in proportion to the
    /// module whatever its shape; the code runs at about half speed.
    Baseline,
    /// All that Cranelift can do.
    Optimised,
}

/// What decides the form of code. Code of one engine fits another of the same settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct CodeSettings {
    /// Whether it counts fuel.
    pub fuel: bool,
    /// Whether it checks every access to memory by itself.
    pub hardened: bool,
}

impl CodeSettings {
    /// For an engine that compiles and makes no instances. One thread compiles: a module does not take cores from others.
    pub fn compiler(self, tier: Tier) -> Config {
        let mut config = self.wasmtime(tier);
        config.parallel_compilation(false);
        config
    }

    /// For any engine. How it allocates instances does not change the code.
    pub fn wasmtime(self, tier: Tier) -> Config {
        let mut config = Config::new();
        config
            .strategy(Strategy::Cranelift)
            .memory_init_cow(true)
            .consume_fuel(self.fuel)
            .epoch_interruption(true)
            .wasm_backtrace_details(WasmBacktraceDetails::Disable)
            // Replay gives the same bytes.
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            .wasm_reference_types(true)
            .wasm_bulk_memory(true)
            .wasm_multi_value(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            .wasm_gc(false)
            .gc_support(false)
            .wasm_function_references(false)
            .wasm_exceptions(false)
            .wasm_tail_call(false)
            .wasm_memory64(false)
            .wasm_multi_memory(false)
            .wasm_wide_arithmetic(false)
            .wasm_custom_page_sizes(false)
            .wasm_stack_switching(false)
            .wasm_extended_const(false)
            .wasm_shared_everything_threads(false)
            .shared_memory(false);
        match tier {
            Tier::Baseline => {
                config.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
            }
            Tier::Optimised => config.cranelift_opt_level(OptLevel::Speed),
        };
        if self.hardened {
            // Less than a guest can address is reserved, so that the compiler cannot leave checks out; it bars
            // speculation past those it makes.
            config.memory_reservation(HARDENED_MEMORY_BYTES as u64).memory_guard_size(64 << 10);
        }
        config
    }
}
