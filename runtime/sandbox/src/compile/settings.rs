//! How code is made, and what wasmtime is told of it.

use bincode::{Decode, Encode};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Strategy,
    WasmBacktraceDetails,
};

use crate::module_limits::TABLES_MOST;

/// The most memory of an instance whose code checks every access by itself: what is reserved for it.
pub(crate) const HARDENED_MEMORY_BYTES: usize = 64 << 20;

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
pub(crate) struct CodeSettings {
    /// Whether it counts fuel.
    pub(crate) fuel: bool,
    /// Whether it checks every access to memory by itself.
    pub(crate) hardened: bool,
}

/// What instances are made of. Of no consequence for the form of code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allocation {
    /// None are made: for the compiler.
    None,
    /// From a pool.
    Pool { instances: u32, guest_stack_bytes: usize, keep_resident_bytes: usize },
}

impl CodeSettings {
    pub(crate) fn wasmtime(self, tier: Tier, allocation: Allocation) -> Config {
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
        match allocation {
            Allocation::None => {
                config.parallel_compilation(false);
            }
            Allocation::Pool { instances, guest_stack_bytes, keep_resident_bytes } => {
                config
                    .allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool(instances, keep_resident_bytes)))
                    .max_wasm_stack(guest_stack_bytes)
                    // Host functions run on the guest's stack and need room beside it.
                    .async_stack_size(guest_stack_bytes.saturating_add(1 << 20));
            }
        }
        config
    }

    fn pool(self, instances: u32, keep_resident_bytes: usize) -> PoolingAllocationConfig {
        // Each slot is address space for its elements, and no memory.
        let tables = u32::try_from(TABLES_MOST).unwrap_or(u32::MAX);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(instances)
            .total_memories(instances)
            .total_tables(instances.saturating_mul(tables))
            .total_stacks(instances)
            .total_gc_heaps(0)
            .max_memories_per_module(1)
            .max_tables_per_module(tables)
            // The tenant's own limits are held by the store's limiter; these are what a slot can hold at most.
            .max_memory_size(if self.hardened { HARDENED_MEMORY_BYTES } else { 4 << 30 })
            .table_elements(100_000)
            .linear_memory_keep_resident(keep_resident_bytes)
            .table_keep_resident(64 << 10)
            .async_stack_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        pool
    }
}
