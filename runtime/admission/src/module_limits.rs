//! Caps on what a module may be before it is compiled.

use serde::{Deserialize, Serialize};

/// A cap of [`ModuleLimits`], as limits files and refusals speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleCap {
    /// The field, and the key in a limits file.
    pub key: &'static str,
    /// What is counted: `locals of a function`.
    pub what: &'static str,
    /// What holds where nobody says anything else.
    pub default: usize,
    /// The least value that makes sense.
    pub least: usize,
    /// The greatest.
    pub most: usize,
    /// What the author of a module that is beyond it can do.
    pub mend: &'static str,
}

/// Tables that a module may ever have: each has a slot in the pool.
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
        /// Each bounds one way of making a small module expensive to compile: loops within loops were measured at 17.8 s
        /// for 14 KB, data segments at 46.8 s and 2.5 GB for 808 KB. The defaults let real modules through, of which these
        /// were measured: `regex` and `serde_json_path` together (1.4 MB), QuickJS (1.0 MB), Go with `regexp` and
        /// `encoding/json` (3.8 MB). What only adds up over a module may be in proportion to its size, where that is more.
        ///
        /// The dearest small modules within the defaults that were found, in CPU time of a release build on a busy machine and
        /// memory: 4.4 s and 74 MiB for 100,000 joins in five functions, 0.9 s and 51 MiB for 10,000 `memory.grow`, 0.5 s and
        /// 73 MiB for 3,100 calls of 32 parameters and results. Go's module took 8.6 to 10.5 s there. One that is filled up to
        /// 4 MiB with data, for the caps in proportion, has 520,000 joins, is not optimised within half of the worker's time,
        /// and runs as it was compiled first.
        ///
        /// Behind all of them, [`Limits::compile_cpu_s_max`](crate::Limits::compile_cpu_s_max) and
        /// [`Limits::compile_memory_bytes_max`](crate::Limits::compile_memory_bytes_max) end the process that compiles: caps can
        /// be raised where a worker compiles ([`Compiler::Worker`](crate::Compiler::Worker)), and should not be where the
        /// host itself does.
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

            /// The value of a cap of [`ModuleLimits::CAPS`]; `None` for another key.
            pub fn get(&self, key: &str) -> Option<usize> {
                match key {
                    $(stringify!($key) => Some(self.$key),)+
                    _ => None,
                }
            }

            /// Sets a cap of [`ModuleLimits::CAPS`], and says whether there is one of this key.
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

// The greatest values are what the validator takes, where it has a bound of its own.
module_limits! {
    /// The whole file, with the custom sections that `module_bytes_max` leaves out.
    module_file_bytes_max = 32 << 20, 8..=1 << 30, "file size", STRIP;
    /// The section of the manifest. The contract promises 64 KiB.
    manifest_bytes_max = 64 << 10, 1_024..=1 << 20, "manifest size", SHORTER;
    /// Functions of the module's own.
    functions_max = 10_000, 1..=1_000_000, "functions", FEWER;
    /// Types of functions and blocks.
    types_max = 1_000, 1..=1_000_000, "types", FEWER;
    /// Globals.
    globals_max = 1_000, 0..=1_000_000, "globals", FEWER;
    /// Tables; compilers make one.
    tables_max = 4, 0..=TABLES_MOST, "tables", "keep to one table";
    /// Imports.
    imports_max = 64, 0..=1_000_000, "imports", "import each host function once";
    /// Exports.
    exports_max = 256, 1..=1_000_000, "exports", EXPORT;
    /// Data segments.
    data_segments_max = 1_000, 0..=100_000, "data segments", DATA;
    /// The same for each KiB of the module, where that is more: Go's linker makes one for 85 bytes.
    data_segments_per_kib_max = 16, 0..=1_024, "data segments per KiB", DATA;
    /// Element segments.
    element_segments_max = 1_000, 0..=100_000, "element segments", FEWER;
    /// Parameters of a type.
    function_params_max = 100, 1..=1_000, "parameters of a function", POINTER;
    /// Results of a type.
    function_results_max = 16, 1..=1_000, "results of a function", POINTER;
    /// Parameters and results of all functions: one that a table may hold gets a bridge from the host's way of calling,
    /// which moves every value by itself.
    signature_values_max = 100_000, 1..=100_000_000, "parameters and results of all functions", FEWER;
    /// Bytes of a function. The largest real one has 54 KB, of QuickJS.
    function_bytes_max = 128 << 10, 1_024..=7 << 20, "size of a function", SPLIT;
    /// Locals of a function.
    function_locals_max = 1_000, 0..=50_000, "locals of a function", SPLIT;
    /// Locals of all functions.
    locals_max = 50_000, 0..=100_000_000, "locals", FEWER;
    /// Loops of all functions.
    loops_max = 10_000, 0..=100_000_000, "loops", FEWER;
    /// Loops within each other.
    loop_depth_max = 64, 0..=100_000, "loop nesting depth", SPLIT;
    /// Blocks, ifs and loops within each other. Go's compiler makes 550.
    block_depth_max = 1_024, 0..=1_000_000, "block nesting depth", SPLIT;
    /// Blocks and ifs of a function. What is kept of each value at each block grows with their square: 8,000 in a function
    /// of 64 KiB took 424 MB.
    function_blocks_max = 4_096, 0..=1_000_000, "blocks of a function", SPLIT;
    /// Targets of `br_table` of all functions.
    br_table_targets_max = 65_536, 0..=100_000_000, "`br_table` targets", FEWER;
    /// The same for each KiB of the module, where that is more: Go has one for 46 bytes.
    br_table_targets_per_kib_max = 32, 0..=1_024, "`br_table` targets per KiB", FEWER;
    /// Targets of `br_table` of a function. The time grows with the square of the branches to one block: 40,000 targets
    /// took 25 s. The largest real one has 1,145.
    function_br_table_targets_max = 2_048, 0..=100_000_000, "`br_table` targets of a function", TABLE;
    /// Operations on whole memories and tables, `memory.grow` and `table.get` among them. Each is compiled to a call of the
    /// runtime with a way around it: 100 µs and 20 KiB.
    bulk_operations_max = 10_000, 0..=100_000_000, "bulk operations", FEWER;
    /// Indirect calls.
    indirect_calls_max = 20_000, 0..=100_000_000, "indirect calls", FEWER;
    /// Values at all branches: locals and carried values, for each branch. A local may have another value at each place where
    /// control flow meets, and a compiler looks for it there: a branch table over 900 locals was compiled to 70 MiB.
    branch_values_max = 500_000, 0..=100_000_000_000, "values at branches", FEWER;
    /// The same for each KiB of the module, where that is more: QuickJS has 1,100.
    branch_values_per_kib_max = 2_048, 0..=10_000_000, "values at branches per KiB", FEWER;
    /// Values at the branches of a function. Guests in Rust have up to 20,000 in 60 KB, a regular expression's engine 270,000.
    function_branch_values_max = 500_000, 0..=100_000_000_000, "values at branches of a function", SPLIT;
    /// Locals times blocks within each other, at each branch: 13 KB of 250 blocks within each other over 1,000 locals took
    /// more than a minute. A regular expression's engine has 21,500.
    function_nest_values_max = 40_000, 0..=100_000_000_000, "locals in nested blocks", SPLIT;
    /// Values that branches carry to blocks, for each branch. Compilers for WebAssembly carry one at a time, and seldom: Go's
    /// has five in a megabyte.
    carried_values_max = 100_000, 0..=100_000_000_000, "values carried by branches", FEWER;
    /// Joins of all functions: each local that is set within a block, counted in each block around it, and what blocks
    /// carry. A compiler keeps a value of its own for each, and looks for a register for it: 7 KB with 78,000 in one function
    /// took as long as Go's 3.8 MB.
    joins_max = 100_000, 0..=100_000_000_000, "joins", FEWER;
    /// The same for each KiB of the module, where that is more: Go has 100.
    joins_per_kib_max = 128, 0..=10_000_000, "joins per KiB", FEWER;
    /// Joins of a function. A regular expression's engine has 14,414.
    function_joins_max = 20_000, 0..=100_000_000_000, "joins of a function", SPLIT;
    /// Parameters and results at all calls, for each call. 87 KB of 29,000 calls with 32 each took 8 s and 1 GiB.
    call_values_max = 100_000, 0..=100_000_000_000, "parameters and results at calls", FEWER;
    /// The same for each KiB of the module, where that is more: small modules in Rust have 40.
    call_values_per_kib_max = 64, 0..=10_000_000, "parameters and results at calls per KiB", FEWER;
}

impl ModuleLimits {
    /// What is allowed of something that adds up, in a module of so many bytes.
    pub(crate) fn in_proportion(most: usize, per_kib: usize, module_bytes: usize) -> usize {
        most.max(module_bytes.saturating_mul(per_kib) >> 10)
    }
}

/// Caps that are kept with the other limits.
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
