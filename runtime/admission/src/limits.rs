//! Limits of tenants.

use crate::Fault;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ModuleLimits;

/// The maximum memory of an instance with hardened code, which checks every access: this size is reserved.
pub const HARDENED_MEMORY_BYTES: usize = 64 << 20;

/// All limits of a tenant. Each field has a default.
///
/// Limits of a batch apply to each call of a function, limits of a module when it is admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum size of a module without its custom sections (names, debug information, the manifest). Default 4 MiB: a guest in
    /// Rust has 60 KB to 1.4 MB, one from Go's compiler 1.8 MB and more. Compile time grows with the size.
    pub module_bytes_max: usize,
    /// Caps on the shape of modules. In a limits file their keys are next to the others.
    pub module: ModuleLimits,
    /// The maximum size of a module's machine code; twice that before optimisation. Default 16 MiB: sixteen times the largest known
    /// module.
    pub native_bytes_max: usize,
    /// The linear memory of an instance. Default 64 MiB: a window of 1,024 rows needs kilobytes, and a stateful function has room
    /// for about a million small entries.
    pub memory_bytes_max: usize,
    /// The number of elements of all tables of an instance. Default 10,000: tables hold functions that are called indirectly, and a
    /// module cannot have more.
    pub table_elements_max: usize,
    /// Fuel per batch: one unit per instruction, and for host calls in proportion to rows and bytes. `None` does not meter. Default
    /// 4 G: about the number of instructions that a core executes within the default deadline.
    pub fuel_batch_max: Option<u64>,
    /// Fuel for instantiation and init together. `None` does not meter. Default 100 M: about 30 ms of work.
    pub fuel_init_max: Option<u64>,
    /// CPU time per batch, of the thread that runs the function. Time in which other threads run, or in which the process is
    /// stopped, does not count. Default 1,000 ms: a batch of a thousand records takes well under one millisecond, so a thousand
    /// times that is a fault. In addition, a call ends after thirty times this limit plus a second of the engine's ticks, even if
    /// it did not get this much CPU time: then the machine is overloaded, and the call is repeated.
    pub deadline_ms_max: u64,
    /// CPU time for instantiation and init together. Default 1,000 ms, as for a batch.
    pub deadline_init_ms_max: u64,
    /// Output rows per batch. Default 1 M: a larger batch does not fit into the queues after it.
    pub output_rows_max: usize,
    /// Output rows per input row, whatever the other rows produce. Default 1,000: more is an amplification, not a flat-map.
    pub output_rows_per_input_max: usize,
    /// Bytes of all columns that a function emits for a batch, including the carried fields that a flat-map repeats. Default 64
    /// MiB.
    pub output_bytes_max: usize,
    /// The length of a row error's text; longer text is cut. Default 256 bytes: a sentence.
    pub row_error_bytes_max: usize,
    /// The length of all row errors' texts of a batch; beyond it, errors are stored without text. Default 1 MiB.
    pub row_errors_bytes_max: usize,
    /// Log lines per batch; further lines are dropped and counted. Default 100.
    pub log_lines_batch_max: usize,
    /// The length of a log line; longer lines are cut. Default 1 KiB.
    pub log_line_bytes_max: usize,
    /// Series per metric; beyond this, new label values share the metric's overflow series. A metric without labels always has one
    /// series. Default 2,000: OpenTelemetry's limit per metric. In addition, the series of an instance have at most 8 MiB together;
    /// beyond that new label values share a series too. A new instance starts empty, so code that merges the series of several
    /// instances must check the limit again.
    pub series_max: usize,
    /// The length of all label values of a series. Default 1 KiB.
    pub series_label_bytes_max: usize,
    /// The length of all log lines of a batch, escaped; further lines are dropped and counted. Default 64 KiB.
    pub log_bytes_batch_max: usize,
    /// CPU time for compiling a module, including optimisation. Default 10 s: a hundred times what the largest ordinary module
    /// takes. Once the unoptimised code runs, optimisation is given up after half of this limit, or after three times the time of
    /// the first compilation if that is longer.
    pub compile_cpu_s_max: u64,
    /// Address space of the process that compiles a module. Default 1 GiB.
    pub compile_memory_bytes_max: usize,
    /// The maximum number of live instances of the tenant, in all its queries. Default 64: a query has one per stage.
    pub instances_max: usize,
    /// CPU time of the tenant's functions in percent of one core, in all its queries; 200 is two cores. Beyond this they wait.
    /// `None`, the default, has no limit except the other tenants' shares.
    pub cpu_percent_max: Option<u32>,
    /// The tenant's share of the cores if several tenants need more than there is: a tenant with 200 gets twice as much as one with
    /// 100. Default 100.
    pub cpu_weight: u32,
    /// The maximum pause before the next batch of a function that fails repeatedly; pauses double up to it. It also limits the
    /// pause before the next upload of a tenant whose modules are refused repeatedly. 0 turns pauses off. Default 10,000 ms.
    pub trap_pause_ms_max: u64,
    /// Whether the tenant's code checks every memory access, with barriers against speculation, instead of relying on guard pages.
    /// Default false: it makes filters half as slow again, and maps twice as slow. Memory is limited to 64 MiB with it.
    pub hardened: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            module_bytes_max: 4 << 20,
            module: ModuleLimits::default(),
            native_bytes_max: 16 << 20,
            memory_bytes_max: 64 << 20,
            table_elements_max: 10_000,
            fuel_batch_max: Some(4_000_000_000),
            fuel_init_max: Some(100_000_000),
            deadline_ms_max: 1_000,
            deadline_init_ms_max: 1_000,
            output_rows_max: 1_000_000,
            output_rows_per_input_max: 1_000,
            output_bytes_max: 64 << 20,
            row_error_bytes_max: 256,
            row_errors_bytes_max: 1 << 20,
            log_lines_batch_max: 100,
            log_line_bytes_max: 1 << 10,
            series_max: 2_000,
            series_label_bytes_max: 1 << 10,
            log_bytes_batch_max: 64 << 10,
            compile_cpu_s_max: 10,
            compile_memory_bytes_max: 1 << 30,
            instances_max: 64,
            cpu_percent_max: None,
            cpu_weight: 100,
            trap_pause_ms_max: 10_000,
            hardened: false,
        }
    }
}

/// A limit is out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {value} is out of range: use {least} to {most}")]
#[non_exhaustive]
pub struct LimitsError {
    /// The field.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// The minimum.
    pub least: u64,
    /// The maximum.
    pub most: u64,
}

impl LimitsError {
    /// Who has to act: limits files are checked when they are read, so a program set this value.
    pub fn fault(&self) -> Fault {
        Fault::Internal
    }

    /// Whether the same value may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl Limits {
    /// Changes fields: `Limits::default().with(|it| it.series_max = 100)`.
    pub fn with(mut self, change: impl FnOnce(&mut Limits)) -> Limits {
        change(&mut self);
        self
    }

    /// Limits that apply to a tenant as a whole, so that a stage cannot set them.
    pub const OF_TENANT: [&str; 7] = [
        "compile_cpu_s_max",
        "compile_memory_bytes_max",
        "instances_max",
        "cpu_percent_max",
        "cpu_weight",
        "trap_pause_ms_max",
        "hardened",
    ];

    /// Refuses values with which nothing could run, and values that the engine cannot enforce.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        const PAGE: usize = 64 << 10;
        const GIB: usize = 1 << 30;
        let hour_ms = 3_600_000;
        let ranges = [
            ("module_bytes_max", self.module_bytes_max as u64, 8, (64 << 20) as u64),
            ("native_bytes_max", self.native_bytes_max as u64, 4 << 10, GIB as u64),
            ("memory_bytes_max", self.memory_bytes_max as u64, PAGE as u64, 4 * GIB as u64),
            ("table_elements_max", self.table_elements_max as u64, 0, 100_000),
            ("fuel_batch_max", self.fuel_batch_max.unwrap_or(1), 1, u64::MAX / 2),
            ("fuel_init_max", self.fuel_init_max.unwrap_or(1), 1, u64::MAX / 2),
            ("deadline_ms_max", self.deadline_ms_max, 1, hour_ms),
            ("deadline_init_ms_max", self.deadline_init_ms_max, 1, hour_ms),
            ("output_rows_max", self.output_rows_max as u64, 1, u64::from(u32::MAX)),
            ("output_rows_per_input_max", self.output_rows_per_input_max as u64, 1, u64::from(u32::MAX)),
            // Arrow's offsets of text have 31 bits.
            ("output_bytes_max", self.output_bytes_max as u64, 1, GIB as u64),
            ("row_error_bytes_max", self.row_error_bytes_max as u64, 0, PAGE as u64),
            ("row_errors_bytes_max", self.row_errors_bytes_max as u64, 0, GIB as u64),
            ("log_lines_batch_max", self.log_lines_batch_max as u64, 0, 1_000_000),
            ("log_line_bytes_max", self.log_line_bytes_max as u64, 0, PAGE as u64),
            ("series_max", self.series_max as u64, 1, 1_000_000),
            ("series_label_bytes_max", self.series_label_bytes_max as u64, 0, PAGE as u64),
            ("log_bytes_batch_max", self.log_bytes_batch_max as u64, 0, GIB as u64),
            ("compile_cpu_s_max", self.compile_cpu_s_max, 2, 3600),
            // The compiler itself takes about 100 MiB of address space.
            ("compile_memory_bytes_max", self.compile_memory_bytes_max as u64, (256 << 20) as u64, 64 * GIB as u64),
            ("instances_max", self.instances_max as u64, 1, 20_000),
            ("cpu_percent_max", u64::from(self.cpu_percent_max.unwrap_or(1)), 1, 100_000),
            ("cpu_weight", u64::from(self.cpu_weight), 1, 10_000),
            ("trap_pause_ms_max", self.trap_pause_ms_max, 0, hour_ms),
        ];
        let hardened = ("memory_bytes_max", self.memory_bytes_max as u64, PAGE as u64, HARDENED_MEMORY_BYTES as u64);
        let hardened = self.hardened.then_some(hardened);
        let caps = ModuleLimits::CAPS.iter().map(|cap| {
            let value = self.module.get(cap.key).unwrap_or(cap.default);
            (cap.key, value as u64, cap.least as u64, cap.most as u64)
        });
        match ranges
            .into_iter()
            .chain(hardened)
            .chain(caps)
            .find(|&(_, value, least, most)| value < least || value > most)
        {
            Some((name, value, least, most)) => Err(LimitsError { name, value, least, most }),
            None => Ok(()),
        }
    }
}

/// A limit was reached: `memory limit reached: limit 64 MiB, current 60 MiB, requested 8 MiB`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} limit reached: limit {}, current {}, requested {}",
    Amount(.unit, *.limit),
    Amount(.unit, *.current),
    Amount(.unit, *.requested)
)]
#[non_exhaustive]
pub struct LimitExceeded {
    /// What is limited: `memory`, `output rows`, …
    pub name: &'static str,
    /// The unit of the numbers.
    pub unit: Unit,
    /// The maximum.
    pub limit: u64,
    /// The amount in use before.
    pub current: u64,
    /// The additional amount that was requested.
    pub requested: u64,
}

impl LimitExceeded {
    /// Who has to act: the author of the module.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same call may succeed later: no, because guests are deterministic.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// The unit of the numbers in a [`LimitExceeded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown as KiB or MiB if they are whole.
    Bytes,
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
}

pub(crate) struct Amount<'a>(pub(crate) &'a Unit, pub(crate) u64);

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amount(unit, value) = *self;
        let whole = |shift: u32| value > 0 && value.trailing_zeros() >= shift;
        match unit {
            Unit::Bytes if whole(20) => write!(f, "{} MiB", value >> 20),
            Unit::Bytes if whole(10) => write!(f, "{} KiB", value >> 10),
            Unit::Bytes => write!(f, "{value} B"),
            Unit::Count => write!(f, "{value}"),
            Unit::Seconds => write!(f, "{value} s"),
        }
    }
}

impl LimitExceeded {
    /// A limit in bytes.
    pub fn bytes(name: &'static str, limit: usize, current: usize, requested: usize) -> LimitExceeded {
        LimitExceeded {
            name,
            unit: Unit::Bytes,
            limit: limit as u64,
            current: current as u64,
            requested: requested as u64,
        }
    }

    /// A limit of a number of things.
    pub fn count(name: &'static str, limit: usize, current: usize, requested: usize) -> LimitExceeded {
        LimitExceeded { unit: Unit::Count, ..LimitExceeded::bytes(name, limit, current, requested) }
    }

    /// A limit in seconds.
    pub fn seconds(name: &'static str, limit: usize, current: usize, requested: usize) -> LimitExceeded {
        LimitExceeded { unit: Unit::Seconds, ..LimitExceeded::bytes(name, limit, current, requested) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_nonsense_is_not() {
        assert_eq!(Limits::default().validate(), Ok(()));
        let check = |limits: Limits, expect: &str| assert_eq!(limits.validate().unwrap_err().to_string(), expect);
        check(
            Limits { deadline_ms_max: 0, ..Limits::default() },
            "deadline_ms_max: 0 is out of range: use 1 to 3600000",
        );
        check(
            Limits { fuel_batch_max: Some(0), ..Limits::default() },
            "fuel_batch_max: 0 is out of range: use 1 to 9223372036854775807",
        );
        check(
            Limits { memory_bytes_max: 1, ..Limits::default() },
            "memory_bytes_max: 1 is out of range: use 65536 to 4294967296",
        );
        assert_eq!(Limits { fuel_batch_max: None, ..Limits::default() }.validate(), Ok(()));
    }

    #[test]
    fn a_limit_error_carries_its_numbers() {
        let memory = LimitExceeded::bytes("memory", 64 << 20, 60 << 20, 8 << 20);
        assert_eq!(memory.to_string(), "memory limit reached: limit 64 MiB, current 60 MiB, requested 8 MiB");
        let rows = LimitExceeded::count("output rows", 10, 8, 3);
        assert_eq!(rows.to_string(), "output rows limit reached: limit 10, current 8, requested 3");
        let odd = LimitExceeded::bytes("log", 1025, 0, 2048);
        assert_eq!(odd.to_string(), "log limit reached: limit 1025 B, current 0 B, requested 2 KiB");
    }

    #[test]
    fn unknown_limits_are_refused() {
        let error = serde_json::from_str::<Limits>(r#"{"memory_max":1}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `memory_max`"), "{error}");
        let limits: Limits = serde_json::from_str(r#"{"fuel_batch_max":null,"deadline_ms_max":5}"#).unwrap();
        assert_eq!(limits, Limits { fuel_batch_max: None, deadline_ms_max: 5, ..Limits::default() });
    }
}
