//! What the limits of a tenant mean for its worker's process.

use weir_confine::Budgets;
use weir_plan::TenantLimits;
use weir_worker::WorkerSettings;

/// Stack of a slot: 512 KiB of the guest's calls, and 1 MiB of host functions.
const SLOT_STACK_BYTES: u64 = 3 << 19;

/// Address space of a slot: 4 GiB that a memory can grow to, with its guard.
const SLOT_ADDRESSES: u64 = (4 << 30) + (64 << 20);

/// The same of a slot whose code checks every access.
const HARDENED_SLOT_ADDRESSES: u64 = 192 << 20;

/// Stack of a thread, all of which counts as soon as the thread is started.
const THREAD_STACK_BYTES: u64 = 2 << 20;

/// What a heap of glibc's reserves. Each thread may get one, up to eight for a core.
const HEAP_ADDRESSES: u64 = 128 << 20;
const HEAPS_PER_CORE: u64 = 8;

/// Static data, tables of the engine, the heap at the start.
const OWN_BYTES: u64 = 64 << 20;

/// The program with its libraries, the code window, mapped files.
const OWN_ADDRESSES: u64 = 3 << 30;

/// Slots that the engine can have, instances that it has room for in any case, and their tables.
const SLOTS_MAX: u64 = 1_000;
const INSTANCES_LEAST: u64 = 4;
const TABLES_LEAST: usize = 4;
const ELEMENTS_LEAST: usize = 10_000;

/// What the operating system and the supervisor keep a worker within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkerBudgets {
    /// Private memory in all (`RLIMIT_DATA`): `fixed part + worker_memory_bytes_max`, where the fixed part is what the pool of instances
    /// and the stacks of threads take before a record is read.
    data_bytes_max: u64,
    /// Reserved addresses (`RLIMIT_AS`).
    address_space_bytes_max: u64,
    file_bytes_max: u64,
    descriptors_max: u64,
    pub(super) threads_max: u32,
    /// What it counts as where the supervisor asks whether another worker fits into the machine.
    pub(super) memory_bytes: u64,
    slots: u32,
    buffer_bytes_max: u64,
}

impl WorkerBudgets {
    /// For a worker that runs this many queries of a tenant.
    pub(super) fn of(tenant: &TenantLimits, queries: usize) -> WorkerBudgets {
        let TenantLimits { limits, sizes, process, .. } = tenant;
        let stages = (queries as u64).max(1).saturating_mul(sizes.stages_max);
        let instances = stages.min(limits.instances_max as u64);
        // As the worker makes its pool, at most: an instance that is replaced holds its slot until its last call has ended.
        let slots = instances.saturating_add(INSTANCES_LEAST).saturating_mul(2).saturating_add(2).min(SLOTS_MAX);
        let (tables, elements) =
            (limits.module.tables_max.max(TABLES_LEAST) as u64, limits.table_elements_max.max(ELEMENTS_LEAST) as u64);
        let of_tables = tables.saturating_mul(pages(elements.saturating_mul(8)));
        // A hardened tenant's instances are in a pool of their own, beside the other.
        let pools: u64 = if limits.hardened { 2 } else { 1 };
        let slot_bytes = SLOT_STACK_BYTES.saturating_add(of_tables).saturating_mul(pools);
        let stacks = process.threads_max.saturating_mul(THREAD_STACK_BYTES);
        let fixed = slots.saturating_mul(slot_bytes).saturating_add(stacks).saturating_add(OWN_BYTES);
        let usual = slots.saturating_mul(limits.memory_bytes_max as u64).saturating_add(process.buffer_bytes_max);
        let data_bytes_max = fixed.saturating_add(process.worker_memory_bytes_max.unwrap_or(usual));
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let heaps = cores.saturating_mul(HEAPS_PER_CORE).min(process.threads_max).saturating_mul(HEAP_ADDRESSES);
        let hardened = if limits.hardened { slots.saturating_mul(HARDENED_SLOT_ADDRESSES) } else { 0 };
        let address_space_bytes_max = slots
            .saturating_mul(SLOT_ADDRESSES)
            .saturating_add(hardened)
            .saturating_add(data_bytes_max)
            .saturating_add(heaps)
            .saturating_add(OWN_ADDRESSES);
        let at_most = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        WorkerBudgets {
            data_bytes_max,
            address_space_bytes_max,
            file_bytes_max: process.file_bytes_max.min(process.disk_bytes_max.unwrap_or(u64::MAX)),
            descriptors_max: process.descriptors_max,
            threads_max: at_most(process.threads_max),
            memory_bytes: process.worker_memory_bytes_max.unwrap_or(process.buffer_bytes_max),
            slots: at_most(slots),
            buffer_bytes_max: process.buffer_bytes_max.min(process.worker_memory_bytes_max.unwrap_or(u64::MAX) / 2),
        }
    }

    /// What the process limits itself to before it reads anything of its tenant's.
    pub(super) fn of_process(&self) -> Budgets {
        Budgets {
            address_space_bytes_max: Some(self.address_space_bytes_max),
            data_bytes_max: Some(self.data_bytes_max),
            file_bytes_max: Some(self.file_bytes_max),
            descriptors_max: Some(self.descriptors_max),
            ..Budgets::default()
        }
    }

    /// What it does within them.
    pub(super) fn set(&self, settings: &mut WorkerSettings) {
        settings.instances_max = self.slots;
        settings.buffer_bytes_max = self.buffer_bytes_max;
        // Those that run queries and guests, two for each core, come first; half of the rest is for what blocks, half for Kafka's clients.
        settings.cores = settings.cores.min(self.threads_max / 8).max(1);
        settings.blocking_threads_max = 0;
        settings.blocking_threads_max = (self.threads_max.saturating_sub(settings.threads_max()) / 2).clamp(1, 64);
    }
}

fn pages(bytes: u64) -> u64 {
    bytes.next_multiple_of(4 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, queries: usize) -> WorkerBudgets {
        let file = weir_plan::LimitsFile::parse(&format!("[tenants.acme]\n{text}"), std::path::Path::new("."));
        WorkerBudgets::of(file.expect("limits").of(&"acme".parse().expect("a name")).expect("the tenant"), queries)
    }

    #[test]
    fn the_backstop_is_what_instances_and_buffers_may_have_or_what_the_operator_says() {
        let small = "instances_max = 4\nmemory_bytes_max = 1048576\ntable_elements_max = 1000\ntables_max = 1\nthreads_max = 32\n";
        let budgets = of(small, 1);
        let fixed = 18 * ((3 << 19) + 4 * 81_920) + 32 * (2 << 20) + (64 << 20);
        assert_eq!((budgets.slots, budgets.data_bytes_max), (18, fixed + 18 * (1 << 20) + (256 << 20)));
        assert_eq!((budgets.memory_bytes, budgets.buffer_bytes_max), (256 << 20, 256 << 20));
        let budgets = of(&format!("{small}worker_memory_bytes_max = 134217728\n"), 1);
        assert_eq!(budgets.data_bytes_max, fixed + (128 << 20));
        assert_eq!((budgets.memory_bytes, budgets.buffer_bytes_max), (128 << 20, 64 << 20));
        assert!(budgets.address_space_bytes_max > budgets.data_bytes_max + 18 * (4 << 30));
    }

    #[test]
    fn slots_are_as_many_as_queries_can_use() {
        assert_eq!(
            [of("", 1), of("stages_max = 2\n", 3), of("instances_max = 20000\n", 1_000)].map(|it| it.slots),
            [138, 22, 1_000]
        );
        assert_eq!(of("disk_bytes_max = 2097152\n", 1).file_bytes_max, 2 << 20);
        let (plain, hardened) = (of("", 1), of("hardened = true\n", 1));
        assert!(hardened.data_bytes_max > plain.data_bytes_max);
    }
}
