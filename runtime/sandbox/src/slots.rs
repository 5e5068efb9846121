//! What instances are made of.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};
use weir_admission::HARDENED_MEMORY_BYTES;

/// The pool of an engine's instances. Of no consequence for the form of code.
pub(crate) struct Slots {
    pub(crate) instances: u32,
    pub(crate) tables: u32,
    pub(crate) table_elements: u32,
    pub(crate) guest_stack_bytes: usize,
    pub(crate) keep_resident_bytes: usize,
    /// Whether code checks every access to memory by itself, for which less address space is reserved.
    pub(crate) hardened: bool,
}

impl Slots {
    /// Has an engine of this configuration take its instances from such a pool.
    pub(crate) fn allot(&self, config: &mut Config) {
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()))
            .max_wasm_stack(self.guest_stack_bytes)
            // Host functions run on the guest's stack and need room beside it.
            .async_stack_size(self.guest_stack_bytes.saturating_add(1 << 20));
    }

    fn pool(&self) -> PoolingAllocationConfig {
        let instances = self.instances;
        // Each slot is address space for its elements, and no memory.
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(instances)
            .total_memories(instances)
            .total_tables(instances.saturating_mul(self.tables))
            .total_stacks(instances)
            .total_gc_heaps(0)
            .max_memories_per_module(1)
            .max_tables_per_module(self.tables)
            // The tenant's own limits are held by the store's limiter; these are what a slot can hold at most.
            .max_memory_size(if self.hardened { HARDENED_MEMORY_BYTES } else { 4 << 30 })
            .table_elements(usize::try_from(self.table_elements).unwrap_or(usize::MAX))
            .linear_memory_keep_resident(self.keep_resident_bytes)
            .table_keep_resident(64 << 10)
            .async_stack_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        pool
    }
}
