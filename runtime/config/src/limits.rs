//! The limits of functions and modules: of a tenant in a limits file, and of a stage below them.
//!
//! Ranges and defaults are those of the sandbox, which this crate does not know: a test of `weir-plan` compares them.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::key::{Key, SettingKind};
use crate::problem::KeyPlace;
use crate::table::{Item, Table};

/// One limit, described.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LimitKey {
    /// The key.
    pub name: &'static str,
    /// The least value that makes sense.
    pub least: u64,
    /// The greatest.
    pub most: u64,
    /// What holds where nobody says anything else.
    pub default: LimitValue,
    /// What is limited.
    pub doc: &'static str,
}

/// The value of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitValue {
    /// A number.
    Number(u64),
    /// A number, or no limit.
    OrNone(Option<u64>),
    /// True or false.
    Switch(bool),
}

/// A limit that a file gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// The key.
    pub name: String,
    /// The value, within the limit's range. `None` for a limit that no stage has for itself.
    pub value: Option<LimitValue>,
}

const fn number(name: &'static str, least: u64, most: u64, default: u64, doc: &'static str) -> LimitKey {
    LimitKey { name, least, most, default: LimitValue::Number(default), doc }
}

const fn or_none(name: &'static str, least: u64, most: u64, default: Option<u64>, doc: &'static str) -> LimitKey {
    LimitKey { name, least, most, default: LimitValue::OrNone(default), doc }
}

const HOUR_MS: u64 = 3_600_000;
const U32_MAX: u64 = u32::MAX as u64;
const FUEL_MOST: u64 = u64::MAX / 2;

/// The limits of a call, of an instance and of its output, which a stage may lower.
pub const OF_STAGE: &[LimitKey] = &[
    number(
        "module_bytes_max",
        8,
        64 << 20,
        4 << 20,
        "Size of a module without its custom sections (names, debug information, manifest).",
    ),
    number("native_bytes_max", 4 << 10, 1 << 30, 16 << 20, "Size of a module's machine code."),
    number("memory_bytes_max", 64 << 10, 4 << 30, 64 << 20, "Linear memory of an instance."),
    number("table_elements_max", 0, 100_000, 10_000, "Elements of all tables of an instance."),
    or_none(
        "fuel_batch_max",
        1,
        FUEL_MOST,
        Some(4_000_000_000),
        "Fuel of a call. An instruction costs about one unit.",
    ),
    or_none("fuel_init_max", 1, FUEL_MOST, Some(100_000_000), "Fuel of instantiation and initialisation."),
    number("deadline_ms_max", 1, HOUR_MS, 1_000, "CPU time of a call, in milliseconds."),
    number("deadline_init_ms_max", 1, HOUR_MS, 1_000, "CPU time of instantiation and initialisation, in milliseconds."),
    number("output_rows_max", 1, U32_MAX, 1_000_000, "Rows that a call may return."),
    number("output_rows_per_input_max", 1, U32_MAX, 1_000, "Rows that a call may return for one record."),
    number("output_bytes_max", 1, 1 << 30, 64 << 20, "Bytes that a call may return."),
    number("row_error_bytes_max", 0, 64 << 10, 256, "Bytes of the message of one row error."),
    number("row_errors_bytes_max", 0, 1 << 30, 1 << 20, "Bytes of all row error messages of a call."),
    number("log_lines_batch_max", 0, 1_000_000, 100, "Log lines of a call."),
    number("log_line_bytes_max", 0, 64 << 10, 1 << 10, "Bytes of one log line."),
    number("series_max", 1, 1_000_000, 2_000, "Series of one metric."),
    number("series_label_bytes_max", 0, 64 << 10, 1 << 10, "Bytes of the label values of one series."),
    number("log_bytes_batch_max", 0, 1 << 30, 64 << 10, "Bytes of all log lines of a call."),
];

/// The limits that are one value for all queries of a tenant.
pub const OF_TENANT: &[LimitKey] = &[
    number("compile_cpu_s_max", 2, 3600, 10, "CPU time for compiling a module, in seconds."),
    number("compile_memory_bytes_max", 256 << 20, 64 << 30, 1 << 30, "Address space for compiling a module."),
    number("instances_max", 1, 20_000, 64, "Instances at the same time."),
    or_none("cpu_percent_max", 1, 100_000, None, "Percentage of one core; 200 means two cores."),
    number("cpu_weight", 1, 10_000, 100, "Relative share of the cores when tenants compete for them."),
    number(
        "trap_pause_ms_max",
        0,
        HOUR_MS,
        10_000,
        "The longest pause for a function that keeps failing, in milliseconds; 0 turns pauses off.",
    ),
    LimitKey {
        name: "hardened",
        least: 0,
        most: 1,
        default: LimitValue::Switch(false),
        doc: "Compile explicit bounds checks for memory accesses. Limits memory to 64 MiB.",
    },
];

/// What a module may be before it is compiled.
pub const OF_MODULES: &[LimitKey] = &[
    number("module_file_bytes_max", 8, 1 << 30, 32 << 20, "File size."),
    number("manifest_bytes_max", 1_024, 1 << 20, 64 << 10, "Manifest size."),
    number("functions_max", 1, 1_000_000, 10_000, "Functions."),
    number("types_max", 1, 1_000_000, 1_000, "Types."),
    number("globals_max", 0, 1_000_000, 1_000, "Globals."),
    number("tables_max", 0, 8, 4, "Tables."),
    number("imports_max", 0, 1_000_000, 64, "Imports."),
    number("exports_max", 1, 1_000_000, 256, "Exports."),
    number("data_segments_max", 0, 100_000, 1_000, "Data segments."),
    number("data_segments_per_kib_max", 0, 1_024, 16, "Data segments per KiB."),
    number("element_segments_max", 0, 100_000, 1_000, "Element segments."),
    number("function_params_max", 1, 1_000, 100, "Parameters of a function."),
    number("function_results_max", 1, 1_000, 16, "Results of a function."),
    number("signature_values_max", 1, 100_000_000, 100_000, "Parameters and results of all functions."),
    number("function_bytes_max", 1_024, 7 << 20, 128 << 10, "Size of a function."),
    number("function_locals_max", 0, 50_000, 1_000, "Locals of a function."),
    number("locals_max", 0, 100_000_000, 50_000, "Locals."),
    number("loops_max", 0, 100_000_000, 10_000, "Loops."),
    number("loop_depth_max", 0, 100_000, 64, "Loop nesting depth."),
    number("block_depth_max", 0, 1_000_000, 1_024, "Block nesting depth."),
    number("function_blocks_max", 0, 1_000_000, 4_096, "Blocks of a function."),
    number("br_table_targets_max", 0, 100_000_000, 65_536, "`br_table` targets."),
    number("br_table_targets_per_kib_max", 0, 1_024, 32, "`br_table` targets per KiB."),
    number("function_br_table_targets_max", 0, 100_000_000, 2_048, "`br_table` targets of a function."),
    number("bulk_operations_max", 0, 100_000_000, 10_000, "Bulk operations."),
    number("indirect_calls_max", 0, 100_000_000, 20_000, "Indirect calls."),
    number("branch_values_max", 0, 100_000_000_000, 500_000, "Values at branches."),
    number("branch_values_per_kib_max", 0, 10_000_000, 2_048, "Values at branches per KiB."),
    number("function_branch_values_max", 0, 100_000_000_000, 500_000, "Values at branches of a function."),
    number("function_nest_values_max", 0, 100_000_000_000, 40_000, "Locals in nested blocks."),
    number("carried_values_max", 0, 100_000_000_000, 100_000, "Values carried by branches."),
    number("joins_max", 0, 100_000_000_000, 100_000, "Joins."),
    number("joins_per_kib_max", 0, 10_000_000, 128, "Joins per KiB."),
    number("function_joins_max", 0, 100_000_000_000, 20_000, "Joins of a function."),
    number("call_values_max", 0, 100_000_000_000, 100_000, "Parameters and results at calls."),
    number("call_values_per_kib_max", 0, 10_000_000, 64, "Parameters and results at calls per KiB."),
];

struct Limit(LimitKey);

impl SettingKind for Limit {
    type Value = LimitValue;

    fn read(&self, item: &Item<'_>) -> Option<LimitValue> {
        let LimitKey { least, most, .. } = self.0;
        // A value that is not an unsigned 64-bit number gets another error than a number that is invalid as this limit.
        let number = || item.integer(0..=u64::MAX).and_then(|_| item.integer(least..=most));
        match self.0.default {
            LimitValue::Number(_) => number().map(LimitValue::Number),
            // TOML has no null, and 0 would read as no fuel at all.
            LimitValue::OrNone(_) => match item.value() {
                DeValue::String(word) if word == "none" => Some(LimitValue::OrNone(None)),
                DeValue::Integer(_) => number().map(|number| LimitValue::OrNone(Some(number))),
                _ => item.wrong_type("an integer or \"none\""),
            },
            LimitValue::Switch(_) => item.boolean().map(LimitValue::Switch),
        }
    }

    fn schema(&self) -> Json {
        let LimitKey { least, most, .. } = self.0;
        let number = json!({ "type": "integer", "minimum": least, "maximum": most });
        match self.0.default {
            LimitValue::Number(_) => number,
            LimitValue::OrNone(_) => json!({ "anyOf": [number, { "const": "none" }] }),
            LimitValue::Switch(_) => json!({ "type": "boolean" }),
        }
    }

    fn values(&self) -> String {
        let LimitKey { least, most, .. } = self.0;
        match self.0.default {
            LimitValue::Number(_) => format!("{least} to {most}"),
            LimitValue::OrNone(_) => format!("{least} to {most}, or `none`"),
            LimitValue::Switch(_) => "`true`, `false`".to_owned(),
        }
    }

    fn json(value: &LimitValue) -> Json {
        match *value {
            LimitValue::Number(number) | LimitValue::OrNone(Some(number)) => number.into(),
            LimitValue::OrNone(None) => "none".into(),
            LimitValue::Switch(value) => value.into(),
        }
    }
}

/// Reads `[stages.limits]`. Limits that no stage has for itself are left to whoever knows the tenant.
pub(crate) fn of_stage(mut table: Table<'_>) -> Vec<LimitDraft> {
    let mut limits = read(&mut table, OF_STAGE.iter().chain(OF_MODULES));
    for key in OF_TENANT {
        // Only where it is there: what is no key of a stage is not to be suggested as one.
        if table.get(key.name).is_some() {
            let item = table.optional(key.name);
            limits.extend(item.map(|item| LimitDraft { place: item.place, name: key.name.to_owned(), value: None }));
        }
    }
    table.finish("`limits`");
    limits
}

/// Reads the limits in a tenant's table, which has further keys.
pub(crate) fn of_tenant(table: &mut Table<'_>) -> Vec<LimitDraft> {
    read(table, OF_STAGE.iter().chain(OF_TENANT).chain(OF_MODULES))
}

fn read<'k>(table: &mut Table<'_>, keys: impl Iterator<Item = &'k LimitKey>) -> Vec<LimitDraft> {
    keys.filter_map(|key| {
        let setting = crate::key::read(table, key.name, &Limit(*key), None);
        let (place, value) = (setting.place?, setting.value?);
        Some(LimitDraft { place, name: key.name.to_owned(), value: Some(value) })
    })
    .collect()
}

pub(crate) fn describe(keys: &[LimitKey]) -> Vec<Key> {
    keys.iter().map(|key| Key::new(key.name, &Limit(*key), Some(key.default), false, &[key.doc])).collect()
}

/// Every key of `[stages.limits]`. Under a limits file the defaults are the tenant's.
pub(crate) fn describe_stage() -> Vec<Key> {
    let mut keys = describe(OF_STAGE);
    keys.extend(describe(OF_MODULES));
    keys
}
