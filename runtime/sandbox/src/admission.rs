//! What a module must be before it is compiled.

use std::collections::HashMap;

use wasmtime::wasmparser::{
    BlockType, CompositeInnerType, Error as ParseError, ExternalKind, FuncType, FunctionBody, Import, Operator, Parser,
    Payload, TypeRef, ValType, ValidPayload, Validator, WasmFeatures, types::TypesRef,
};
use weir_abi::{CALL_PREFIX, COMMAND, IMPORT_MODULE, INIT_PREFIX, INITIALIZERS, MEMORY};

use crate::host::IMPORTS;
use crate::text::clean;
use crate::toolchain::{self, Toolchain};
use crate::{LimitExceeded, Limits, Manifest, Refusal};

/// Tables that a module may have; compilers make one.
pub(crate) const TABLES_MAX: u32 = 4;

// Caps on a module's shape. Each bounds a way of making a small module expensive to compile: loops within loops were
// measured at 17.8 s for 14 KB, data segments at 46.8 s and 2.5 GB for 808 KB. They let real modules through, of which these
// were measured: `regex` and `serde_json_path` together (1.4 MB), QuickJS (1.0 MB), Go with `regexp` and `encoding/json`
// (3.8 MB). What only adds up is capped in proportion to the module.
const FUNCTIONS_MAX: usize = 10_000;
const TYPES_MAX: usize = 1_000;
const PARAMS_MAX: usize = 100;
const RESULTS_MAX: usize = 16;
// The largest real one: 54 KB, of QuickJS.
const BODY_BYTES_MAX: usize = 128 << 10;
const LOCALS_FUNCTION_MAX: usize = 1_000;
const LOCALS_MODULE_MAX: usize = 50_000;
const LOOP_NESTING_MAX: usize = 64;
// Go's compiler makes 550.
const BLOCK_NESTING_MAX: usize = 1_024;
// What is kept of each value at each block grows with their square: 8,000 in a function of 64 KiB took 424 MB.
const BLOCKS_FUNCTION_MAX: usize = 4_096;
const LOOPS_MAX: usize = 10_000;
// Or one for so many bytes, where that is more: Go has one for 46.
const BR_TABLE_TARGETS_MAX: usize = 65_536;
const BR_TABLE_TARGET_BYTES: usize = 32;
// The time grows with the square of the branches to one block: 40,000 targets took 25 s.
const BR_TABLE_TARGETS_FUNCTION_MAX: usize = 4_096;
// Of these each is compiled to a call of the runtime with a way around it: 100 µs and 20 KiB.
const BULK_OPERATIONS_MAX: usize = 10_000;
const INDIRECT_CALLS_MAX: usize = 20_000;
// A local may have another value at each place where control flow meets, and a compiler looks for it there: 13 KB of
// 250 blocks within each other over 1,000 locals took more than a minute, and a branch table over 900 locals was compiled
// to 70 MiB. Guests in Rust have up to 20,000 such values in 60 KB. In all there may be so many for each byte, where that is
// more: QuickJS has 1.1. A regular expression's engine has 270,000 in one function, and 21,500 in a nest.
const BRANCH_VALUES_MAX: usize = 500_000;
const BRANCH_VALUES_BYTE: usize = 2;
const NEST_VALUES_MAX: usize = 40_000;
// A function that a table may hold gets a bridge from the host's way of calling, which moves every value by itself.
const SIGNATURE_VALUES_MAX: usize = 100_000;
const SEGMENTS_MAX: usize = 1_000;
// Or one of data for so many bytes, where that is more: Go's linker makes one for 85.
const DATA_SEGMENT_BYTES: usize = 64;
const GLOBALS_MAX: usize = 1_000;
const IMPORTS_MAX: usize = 64;
const EXPORTS_MAX: usize = 256;

/// What is known of a module that passed.
pub(crate) struct Admitted {
    pub(crate) manifest: Manifest,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) memory_bytes_min: u64,
    pub(crate) memory_bytes_max: Option<u64>,
}

/// Checks everything that can be checked without compiling.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<Admitted, Refusal> {
    if bytes.len() > limits.module_bytes_max {
        return Err(too_large("module size", limits.module_bytes_max, 0, bytes.len(), true));
    }
    check_header(bytes)?;
    let mut scan = Scan { module_bytes: bytes.len(), ..Scan::default() };
    let mut validator = Validator::new_with_features(features());
    let mut allocations = Default::default();
    let mut types = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| invalid(&error))?;
        scan.section(&payload)?;
        match validator.payload(&payload).map_err(|error| invalid(&error))? {
            ValidPayload::Func(function, body) => {
                scan.body(&body)?;
                let mut function = function.into_validator(allocations);
                function.validate(&body).map_err(|error| invalid(&error))?;
                allocations = function.into_allocations();
            }
            ValidPayload::End(end) => types = Some(end),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        // After the validator, which has resolved the types that imports name.
        if let Payload::ImportSection(section) = &payload {
            for import in section.clone().into_imports() {
                scan.import(&import.map_err(|error| invalid(&error))?)?;
            }
        }
    }
    // After the cap on all of them, which says more where both are exceeded.
    cap("br_table targets of a function", BR_TABLE_TARGETS_FUNCTION_MAX, scan.br_table_targets_function)?;
    let Some(types) = types else {
        return Err(Refusal::Invalid { message: "the module ends early".to_owned(), offset: bytes.len() as u64 });
    };
    if let Some((ExternalKind::Func | ExternalKind::FuncExact, _)) = scan.exports.get(COMMAND) {
        return Err(Refusal::Command);
    }
    if let Some((module, name)) = scan.wasi.take() {
        return Err(Refusal::WasiImport { module, name });
    }
    let types = types.as_ref();
    let (memory_bytes_min, memory_bytes_max) = check_memory(&scan, &types, limits)?;
    check_tables(&types, limits)?;
    let manifest = Manifest::read(bytes)?;
    check_exports(&scan, &types, &manifest)?;
    let mut exports: Vec<String> = scan.exports.keys().map(|name| clean(name)).collect();
    exports.sort_unstable();
    Ok(Admitted { manifest, imports: scan.imports, exports, memory_bytes_min, memory_bytes_max })
}

/// Tells a core module from what else could be handed in, by its first bytes.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), Refusal> {
    let text_starts = || {
        let start = bytes.get(..bytes.len().min(4 << 10)).unwrap_or_default();
        let start = start.trim_ascii_start();
        // Text to its end, which may cut a character in two: other formats begin with these bytes too.
        let is_text = std::str::from_utf8(start).err().is_none_or(|error| error.error_len().is_none());
        is_text && (start.starts_with(b"(") || start.starts_with(b";;"))
    };
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(()),
        // The second half of the version says what layer it is: 1 is a component.
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Err(Refusal::Component),
        // ELF (wasmtime's own artefacts too), Mach-O, PE.
        [0x7f, b'E', b'L', b'F', ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] | [b'M', b'Z', ..] => Err(Refusal::Precompiled),
        _ if text_starts() => Err(Refusal::Text),
        _ => Err(Refusal::NotWasm),
    }
}

pub(crate) fn invalid(error: &ParseError) -> Refusal {
    Refusal::Invalid { message: clean(error.message()), offset: error.offset() as u64 }
}

/// The proposals that are allowed; the engine's configuration says the same to the compiler.
fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::FLOATS
}

fn too_large(name: &'static str, limit: usize, current: usize, requested: usize, bytes: bool) -> Refusal {
    let exceeded = if bytes { LimitExceeded::bytes } else { LimitExceeded::count };
    Refusal::TooLarge(exceeded(name, limit, current, requested))
}

fn cap(name: &'static str, limit: usize, found: usize) -> Result<(), Refusal> {
    if found > limit { Err(too_large(name, limit, 0, found, false)) } else { Ok(()) }
}

/// What has been seen of a module so far.
#[derive(Default)]
struct Scan {
    module_bytes: usize,
    types: Vec<FuncType>,
    // The type of each function of the module's own, and how many bodies were seen.
    functions: Vec<u32>,
    bodies: usize,
    imports: Vec<String>,
    // The first function of WASI, of those that are imported.
    wasi: Option<(String, String)>,
    exports: HashMap<String, (ExternalKind, u32)>,
    locals: usize,
    loops: usize,
    br_table_targets: usize,
    // The most of any function.
    br_table_targets_function: usize,
    bulk_operations: usize,
    indirect_calls: usize,
    branch_values: usize,
}

/// A block that is open.
#[derive(Clone, Copy)]
struct Open {
    is_loop: bool,
    /// Values that a branch to it carries, at most.
    carries: usize,
}

impl Scan {
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(section) => {
                cap("types", TYPES_MAX, section.count() as usize)?;
                for group in section.clone() {
                    for sub_type in group.map_err(|error| invalid(&error))?.into_types() {
                        // Other kinds of types are the validator's to refuse.
                        let CompositeInnerType::Func(function) = sub_type.composite_type.inner else { continue };
                        cap("parameters of a function", PARAMS_MAX, function.params().len())?;
                        cap("results of a function", RESULTS_MAX, function.results().len())?;
                        self.types.push(function);
                    }
                }
            }
            Payload::ImportSection(section) => cap("imports", IMPORTS_MAX, section.count() as usize)?,
            Payload::FunctionSection(section) => {
                cap("functions", FUNCTIONS_MAX, section.count() as usize)?;
                let mut values = 0_usize;
                for function in section.clone() {
                    let index = function.map_err(|error| invalid(&error))?;
                    values = values.saturating_add(self.arity(index));
                    self.functions.push(index);
                }
                cap("parameters and results of all functions", SIGNATURE_VALUES_MAX, values)?;
            }
            Payload::TableSection(section) => cap("tables", TABLES_MAX as usize, section.count() as usize)?,
            Payload::GlobalSection(section) => cap("globals", GLOBALS_MAX, section.count() as usize)?,
            Payload::ElementSection(section) => cap("element segments", SEGMENTS_MAX, section.count() as usize)?,
            Payload::DataSection(section) => {
                let most = SEGMENTS_MAX.max(self.module_bytes / DATA_SEGMENT_BYTES);
                cap("data segments", most, section.count() as usize)?;
            }
            Payload::ExportSection(section) => {
                cap("exports", EXPORTS_MAX, section.count() as usize)?;
                for export in section.clone() {
                    let export = export.map_err(|error| invalid(&error))?;
                    // The validator refuses names that stand twice.
                    self.exports.insert(export.name.to_owned(), (export.kind, export.index));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &Import<'_>) -> Result<(), Refusal> {
        let (module, name) = (clean(import.module), clean(import.name));
        let kind = match import.ty {
            TypeRef::Func(index) => {
                if import.module.starts_with("wasi") {
                    // Kept until the exports are known: of a command that is said first.
                    self.wasi.get_or_insert((module, name));
                    return Ok(());
                }
                if import.module != IMPORT_MODULE
                    && let Some(toolchain) = toolchain::of(import.module, import.name)
                {
                    let Toolchain { asks, mend } = toolchain;
                    return Err(Refusal::ToolchainImport { module, name, asks, mend });
                }
                let known = IMPORTS.iter().find(|known| known.name == import.name);
                let (IMPORT_MODULE, Some(known)) = (import.module, known) else {
                    return Err(Refusal::UnknownImport { module, name });
                };
                let expected = known.to_string();
                let found = self.types.get(index as usize).map(signature).unwrap_or_default();
                if found != expected {
                    return Err(Refusal::ImportType { name, expected, found });
                }
                self.imports.push(name);
                return Ok(());
            }
            TypeRef::FuncExact(_) => "function of an exact type",
            TypeRef::Table(_) => "table",
            TypeRef::Memory(_) => "memory",
            TypeRef::Global(_) => "global",
            TypeRef::Tag(_) => "tag",
        };
        Err(Refusal::ImportKind { kind, module, name })
    }

    /// Parameters and results of a type; none where there is no such type, which is the validator's to say.
    fn arity(&self, index: u32) -> usize {
        self.types.get(index as usize).map_or(0, |function| function.params().len() + function.results().len())
    }

    fn block(&self, is_loop: bool, block: BlockType) -> Open {
        let carries = match block {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(index) => self.arity(index),
        };
        Open { is_loop, carries }
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), Refusal> {
        let size = body.range().len();
        if size > BODY_BYTES_MAX {
            return Err(too_large("size of a function", BODY_BYTES_MAX, 0, size, true));
        }
        let mut locals = 0_usize;
        for local in body.get_locals_reader().map_err(|error| invalid(&error))? {
            let (count, _) = local.map_err(|error| invalid(&error))?;
            locals = locals.saturating_add(count as usize);
        }
        cap("locals of a function", LOCALS_FUNCTION_MAX, locals)?;
        self.locals = self.locals.saturating_add(locals);
        cap("locals", LOCALS_MODULE_MAX, self.locals)?;

        // The function's own block carries its results; its parameters are locals too.
        let signature = self.functions.get(self.bodies).map_or(0, |&index| self.arity(index));
        self.bodies += 1;
        let locals = locals.saturating_add(signature);
        let mut br_table_targets = 0_usize;
        let mut blocks = 0_usize;
        let mut branch_values = 0_usize;
        let mut open: Vec<Open> = Vec::new();
        let mut open_loops = 0_usize;
        for operator in body.get_operators_reader().map_err(|error| invalid(&error))? {
            // How many branches this is, and how far it goes.
            let mut branches = (0_usize, 0_u32);
            match operator.map_err(|error| invalid(&error))? {
                Operator::Block { blockty } | Operator::If { blockty } => {
                    open.push(self.block(false, blockty));
                    blocks += 1;
                    branches = (1, 0);
                }
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => branches = (1, relative_depth),
                Operator::Loop { blockty } => {
                    open.push(self.block(true, blockty));
                    branches = (1, 0);
                    open_loops += 1;
                    self.loops += 1;
                    cap("loops within loops", LOOP_NESTING_MAX, open_loops)?;
                    cap("loops", LOOPS_MAX, self.loops)?;
                }
                Operator::End => open_loops -= usize::from(open.pop().is_some_and(|open| open.is_loop)),
                Operator::BrTable { targets } => {
                    // All targets carry as many values.
                    branches = (targets.len() as usize + 1, targets.default());
                    br_table_targets = br_table_targets.saturating_add(targets.len() as usize);
                    self.br_table_targets = self.br_table_targets.saturating_add(targets.len() as usize);
                    let most = BR_TABLE_TARGETS_MAX.max(self.module_bytes / BR_TABLE_TARGET_BYTES);
                    cap("br_table targets", most, self.br_table_targets)?;
                }
                Operator::MemoryFill { .. }
                | Operator::MemoryCopy { .. }
                | Operator::MemoryInit { .. }
                | Operator::DataDrop { .. }
                | Operator::TableFill { .. }
                | Operator::TableCopy { .. }
                | Operator::TableInit { .. }
                | Operator::ElemDrop { .. }
                | Operator::MemoryGrow { .. }
                | Operator::TableGrow { .. }
                | Operator::TableGet { .. }
                | Operator::TableSet { .. } => {
                    self.bulk_operations += 1;
                    cap("bulk operations", BULK_OPERATIONS_MAX, self.bulk_operations)?;
                }
                Operator::CallIndirect { .. } => {
                    self.indirect_calls += 1;
                    cap("indirect calls", INDIRECT_CALLS_MAX, self.indirect_calls)?;
                }
                _ => {}
            }
            cap("blocks of a function", BLOCKS_FUNCTION_MAX, blocks)?;
            cap("blocks within blocks", BLOCK_NESTING_MAX, open.len())?;
            let (branches, depth) = branches;
            if branches > 0 {
                cap("locals in blocks within blocks", NEST_VALUES_MAX, locals.saturating_mul(open.len()))?;
                let target = open.len().checked_sub(1 + depth as usize).and_then(|index| open.get(index));
                let values = locals.saturating_add(target.map_or(signature, |target| target.carries));
                let values = branches.saturating_mul(values);
                branch_values = branch_values.saturating_add(values);
                self.branch_values = self.branch_values.saturating_add(values);
                let most = BRANCH_VALUES_MAX.max(self.module_bytes.saturating_mul(BRANCH_VALUES_BYTE));
                cap("values at branches", most, self.branch_values)?;
                cap("values at branches of a function", BRANCH_VALUES_MAX, branch_values)?;
            }
        }
        self.br_table_targets_function = self.br_table_targets_function.max(br_table_targets);
        Ok(())
    }
}

/// The memory's size at the start, and the most that the module asks for.
fn check_memory(scan: &Scan, types: &TypesRef<'_>, limits: &Limits) -> Result<(u64, Option<u64>), Refusal> {
    const PAGE: u64 = 64 << 10;
    let index = match scan.exports.get(MEMORY) {
        Some(&(ExternalKind::Memory, index)) => index,
        Some((kind, _)) => {
            return Err(Refusal::ExportType {
                export: MEMORY.to_owned(),
                expected: "a memory".to_owned(),
                found: format!("a {}", kind_name(*kind)),
            });
        }
        None => return Err(Refusal::NoMemory),
    };
    // Memory64 is refused, so that these are at most 2^16 pages.
    let memory = types.memory_at(index);
    let bytes_min = memory.initial.saturating_mul(PAGE);
    let requested = usize::try_from(bytes_min).unwrap_or(usize::MAX);
    if requested > limits.memory_bytes_max {
        let exceeded = LimitExceeded::bytes("memory", limits.memory_bytes_max, 0, requested);
        return Err(Refusal::InitialMemory(exceeded));
    }
    Ok((bytes_min, memory.maximum.map(|pages| pages.saturating_mul(PAGE))))
}

fn check_tables(types: &TypesRef<'_>, limits: &Limits) -> Result<(), Refusal> {
    let mut current = 0;
    for index in 0..types.table_count() {
        let requested = usize::try_from(types.table_at(index).initial).unwrap_or(usize::MAX);
        if requested > limits.table_elements_max.saturating_sub(current) {
            let exceeded = LimitExceeded::count("table", limits.table_elements_max, current, requested);
            return Err(Refusal::InitialTable(exceeded));
        }
        current += requested;
    }
    Ok(())
}

fn check_exports(scan: &Scan, types: &TypesRef<'_>, manifest: &Manifest) -> Result<(), Refusal> {
    for initializer in INITIALIZERS {
        if scan.exports.contains_key(initializer) {
            check_export(scan, types, initializer.to_owned(), "()")?;
        }
    }
    for function in &manifest.functions {
        let call = format!("{CALL_PREFIX}{}", function.name);
        if !scan.exports.contains_key(&call) {
            return Err(Refusal::MissingExport { function: function.name.clone(), export: call });
        }
        check_export(scan, types, call, "(i32) -> i32")?;
        let init = format!("{INIT_PREFIX}{}", function.name);
        if scan.exports.contains_key(&init) {
            check_export(scan, types, init, "() -> i32")?;
        }
    }
    Ok(())
}

fn check_export(scan: &Scan, types: &TypesRef<'_>, export: String, expected: &str) -> Result<(), Refusal> {
    let found = match scan.exports.get(&export) {
        Some(&(ExternalKind::Func | ExternalKind::FuncExact, index)) => {
            let id = types.core_function_at(index);
            signature(types[id].unwrap_func())
        }
        Some(&(kind, _)) => format!("a {}", kind_name(kind)),
        None => "nothing".to_owned(),
    };
    if found == expected { Ok(()) } else { Err(Refusal::ExportType { export, expected: expected.to_owned(), found }) }
}

fn kind_name(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "function",
        ExternalKind::Table => "table",
        ExternalKind::Memory => "memory",
        ExternalKind::Global => "global",
        ExternalKind::Tag => "tag",
    }
}

/// `(i32, i32) -> i64`, as the contract writes types.
fn signature(function: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match function.results() {
        [] => format!("({})", list(function.params())),
        [one] => format!("({}) -> {one}", list(function.params())),
        many => format!("({}) -> ({})", list(function.params()), list(many)),
    }
}
