//! Caps on modules before they are compiled.

use serde::{Deserialize, Serialize};

/// The description of a cap of [`ModuleLimits`], for limits files and refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleCap {
    /// The field, and the key in a limits file.
    pub key: &'static str,
    /// What is counted: `locals of a function`.
    pub what: &'static str,
    /// The default.
    pub default: usize,
    /// The minimum.
    pub least: usize,
    /// The maximum.
    pub most: usize,
    /// What the author of a module that exceeds it can do.
    pub mend: &'static str,
}

/// The maximum number of tables that a module can have: each has a slot in the pool.
pub const TABLES_MOST: usize = 8;

const STRIP: &str = "strip debug information (Rust: `strip = true` in the profile; others: `wasm-strip`)";
const FEWER: &str = "build with `opt-level = \"s\"` and `lto = true`, and leave out features of dependencies";
const SPLIT: &str = "build with `opt-level = \"s\"`, which inlines less, or split the function";
const TABLE: &str = "split the function's largest `match` or `switch`, or build with `opt-level = \"s\"`";
const POINTER: &str = "pass a pointer to a struct instead";
const EXPORT: &str = "export only `memory` and what the manifest declares";
const DATA: &str = "let the linker merge segments (`wasm-opt --memory-packing`), or embed less data";
const SHORTER: &str = "declare fewer functions in one module, or shorten their texts";

macro_rules! module_limits {
    ($($(#[$doc:meta])+ $key:ident = $default:expr, $least:literal..=$most:expr, $what:literal, $mend:expr;)+) => {
        /// Caps on a module's shape, checked before it is compiled.
        ///
        /// Each cap bounds one way to make a small module expensive to compile: nested loops were measured at 17.8 s for 14 KB,
        /// data segments at 46.8 s and 2.5 GB for 808 KB. The defaults admit real modules, of which these were measured: `regex`
        /// and `serde_json_path` together (1.4 MB), QuickJS (1.0 MB), and Go with `regexp` and `encoding/json` (3.8 MB). Caps on
        /// sums over a module grow with its size, if that allows more.
        ///
        /// The most expensive small modules within the defaults that were found, in CPU time of a release build on a busy machine
        /// and in memory: 4.4 s and 74 MiB for 100,000 joins in five functions, 0.9 s and 51 MiB for 10,000 `memory.grow`, and 0.5
        /// s and 73 MiB for 3,100 calls with 32 parameters and results. Go's module took 8.6 to 10.5 s there. A module that is
        /// padded to 4 MiB with data, to raise the caps in proportion, can have 520,000 joins; it cannot be optimised within half
        /// of the worker's time, and runs as it was compiled first.
        ///
        /// In addition, [`Limits::compile_cpu_s_max`](crate::Limits::compile_cpu_s_max) and
        /// [`Limits::compile_memory_bytes_max`](crate::Limits::compile_memory_bytes_max) end the process that compiles. So caps can
        /// be raised if a worker compiles ([`Compiler::Worker`](crate::Compiler::Worker)), but should not be raised if the host
        /// itself does.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct ModuleLimits {
            $($(#[$doc])+ pub $key: usize,)+
        }

        impl Default for ModuleLimits {
            fn default() -> ModuleLimits {
                ModuleLimits { $($key: $default,)+ }
            }
        }

        impl ModuleLimits {
            /// Every cap, in the order of the fields.
            pub const CAPS: &[ModuleCap] = &[
                $(ModuleCap {
                    key: stringify!($key),
                    what: $what,
                    default: $default,
                    least: $least,
                    most: $most,
                    mend: $mend,
                },)+
            ];

            /// The value of a cap of [`ModuleLimits::CAPS`]; `None` for other keys.
            pub fn get(&self, key: &str) -> Option<usize> {
                match key {
                    $(stringify!($key) => Some(self.$key),)+
                    _ => None,
                }
            }

            /// Sets a cap of [`ModuleLimits::CAPS`]. Returns whether the key exists.
            pub fn set(&mut self, key: &str, value: usize) -> bool {
                match key {
                    $(stringify!($key) => self.$key = value,)+
                    _ => return false,
                }
                true
            }
        }
    };
}

// If the validator has a limit of its own, the maximum is that limit.
module_limits! {
    /// The size of the whole file, with the custom sections that `module_bytes_max` does not count.
    module_file_bytes_max = 32 << 20, 8..=1 << 30, "file size", STRIP;
    /// The size of the manifest section. The ABI guarantees 64 KiB.
    manifest_bytes_max = 64 << 10, 1_024..=1 << 20, "manifest size", SHORTER;
    /// Functions, without imported ones.
    functions_max = 10_000, 1..=1_000_000, "functions", FEWER;
    /// Types of functions and blocks.
    types_max = 1_000, 1..=1_000_000, "types", FEWER;
    /// Globals.
    globals_max = 1_000, 0..=1_000_000, "globals", FEWER;
    /// Tables; compilers create one.
    tables_max = 4, 0..=TABLES_MOST, "tables", "keep to one table";
    /// Imports.
    imports_max = 64, 0..=1_000_000, "imports", "import each host function once";
    /// Exports.
    exports_max = 256, 1..=1_000_000, "exports", EXPORT;
    /// Data segments.
    data_segments_max = 1_000, 0..=100_000, "data segments", DATA;
    /// The same per KiB of the module, if that allows more: Go's linker creates one per 85 bytes.
    data_segments_per_kib_max = 16, 0..=1_024, "data segments per KiB", DATA;
    /// Element segments.
    element_segments_max = 1_000, 0..=100_000, "element segments", FEWER;
    /// Parameters of a type.
    function_params_max = 100, 1..=1_000, "parameters of a function", POINTER;
    /// Results of a type.
    function_results_max = 16, 1..=1_000, "results of a function", POINTER;
    /// Parameters and results of all functions: for each function that a table may contain, a trampoline from the host's calling
    /// convention moves every value.
    signature_values_max = 100_000, 1..=100_000_000, "parameters and results of all functions", FEWER;
    /// Bytes of a function. The largest known one has 54 KB, in QuickJS.
    function_bytes_max = 128 << 10, 1_024..=7 << 20, "size of a function", SPLIT;
    /// Locals of a function.
    function_locals_max = 1_000, 0..=50_000, "locals of a function", SPLIT;
    /// Locals of all functions.
    locals_max = 50_000, 0..=100_000_000, "locals", FEWER;
    /// Loops of all functions.
    loops_max = 10_000, 0..=100_000_000, "loops", FEWER;
    /// The nesting depth of loops.
    loop_depth_max = 64, 0..=100_000, "loop nesting depth", SPLIT;
    /// The nesting depth of blocks, ifs and loops. Go's compiler reaches 550.
    block_depth_max = 1_024, 0..=1_000_000, "block nesting depth", SPLIT;
    /// Blocks and ifs of a function. The memory for values at each block grows with their square: 8,000 in a function of 64 KiB
    /// took 424 MB.
    function_blocks_max = 4_096, 0..=1_000_000, "blocks of a function", SPLIT;
    /// Targets of `br_table` of all functions.
    br_table_targets_max = 65_536, 0..=100_000_000, "`br_table` targets", FEWER;
    /// The same per KiB of the module, if that allows more: Go has one per 46 bytes.
    br_table_targets_per_kib_max = 32, 0..=1_024, "`br_table` targets per KiB", FEWER;
    /// Targets of `br_table` of a function. The time grows with the square of the branches to one block: 40,000 targets took 25 s.
    /// The largest known function has 1,145.
    function_br_table_targets_max = 2_048, 0..=100_000_000, "`br_table` targets of a function", TABLE;
    /// Operations on whole memories and tables, including `memory.grow` and `table.get`. Each is compiled to a call of the runtime
    /// with a slow path: 100 µs and 20 KiB.
    bulk_operations_max = 10_000, 0..=100_000_000, "bulk operations", FEWER;
    /// Indirect calls.
    indirect_calls_max = 20_000, 0..=100_000_000, "indirect calls", FEWER;
    /// Values at all branches: locals and carried values, for each branch. A local may have another value at each place where
    /// control flow joins, and the compiler examines it there: a branch table with 900 locals was compiled to 70 MiB.
    branch_values_max = 500_000, 0..=100_000_000_000, "values at branches", FEWER;
    /// The same per KiB of the module, if that allows more: QuickJS has 1,100.
    branch_values_per_kib_max = 2_048, 0..=10_000_000, "values at branches per KiB", FEWER;
    /// Values at the branches of a function. Guests in Rust have up to 20,000 in 60 KB, a regular expression engine 270,000.
    function_branch_values_max = 500_000, 0..=100_000_000_000, "values at branches of a function", SPLIT;
    /// Locals times nesting depth, at each branch: 13 KB with 250 nested blocks and 1,000 locals took more than a minute. A regular
    /// expression engine has 21,500.
    function_nest_values_max = 40_000, 0..=100_000_000_000, "locals in nested blocks", SPLIT;
    /// Values that branches carry to blocks, for each branch. Compilers for WebAssembly rarely carry values: Go's has five in a
    /// megabyte.
    carried_values_max = 100_000, 0..=100_000_000_000, "values carried by branches", FEWER;
    /// Joins of all functions: each local that is set within a block, counted in each surrounding block, and values that blocks
    /// carry. A compiler creates a value for each, and allocates a register for it: 7 KB with 78,000 joins in one function took as
    /// long as Go's 3.8 MB.
    joins_max = 100_000, 0..=100_000_000_000, "joins", FEWER;
    /// The same per KiB of the module, if that allows more: Go has 100.
    joins_per_kib_max = 128, 0..=10_000_000, "joins per KiB", FEWER;
    /// Joins of a function. A regular expression engine has 14,414.
    function_joins_max = 20_000, 0..=100_000_000_000, "joins of a function", SPLIT;
    /// Parameters and results at all calls, for each call. 87 KB with 29,000 calls of 32 values took 8 s and 1 GiB.
    call_values_max = 100_000, 0..=100_000_000_000, "parameters and results at calls", FEWER;
    /// The same per KiB of the module, if that allows more: small modules in Rust have 40.
    call_values_per_kib_max = 64, 0..=10_000_000, "parameters and results at calls per KiB", FEWER;
}

impl ModuleLimits {
    /// The limit of a sum, for a module with this number of bytes.
    pub(crate) fn in_proportion(most: usize, per_kib: usize, module_bytes: usize) -> usize {
        most.max(module_bytes.saturating_mul(per_kib) >> 10)
    }
}

/// Caps that are stored with the other limits.
pub(crate) const MODULE_BYTES: (&str, &str, &str) = ("module_bytes_max", "module size", FEWER);
pub(crate) const NATIVE_BYTES: (&str, &str, &str) = ("native_bytes_max", "native code size", FEWER);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cap_is_read_and_set_by_its_key() {
        let mut limits = ModuleLimits::default();
        for cap in ModuleLimits::CAPS {
            assert_eq!(limits.get(cap.key), Some(cap.default), "{}", cap.key);
            assert!(cap.least <= cap.default && cap.default <= cap.most, "{}", cap.key);
            assert!(limits.set(cap.key, cap.least) && limits.get(cap.key) == Some(cap.least), "{}", cap.key);
        }
        assert_eq!(limits.get("module_bytes_max"), None);
        assert!(!limits.set("module_bytes_max", 1));
    }
}
