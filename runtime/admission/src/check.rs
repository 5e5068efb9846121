//! Checks modules before they are compiled.

use std::collections::HashMap;

use wasmtime::wasmparser::{
    BlockType, CompositeInnerType, ExternalKind, FuncType, FunctionBody, Import, Operator, Parser, Payload, TypeRef,
    ValType, ValidPayload, Validator, WasmFeatures, types::TypesRef,
};
use weir_abi::{CALL_PREFIX, COMMAND, IMPORT_MODULE, INIT_PREFIX, INITIALIZERS, MEMORY};

use crate::header::{check_header, custom_bytes, invalid};
use crate::import::IMPORTS;
use crate::joins::Joins;
use crate::module_limits::MODULE_BYTES;
use crate::text::clean;
use crate::toolchain::{self, Toolchain};
use crate::{CapExceeded, CapPlace, LimitExceeded, Limits, ModuleLimits, ModuleManifest, Refusal};

/// Facts about a module that passed all checks before compiling.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Admitted {
    /// The module's manifest.
    pub manifest: ModuleManifest,
    /// The imported host functions, in the order of the import section.
    pub imports: Vec<String>,
    /// The names of all exports, escaped and cut, in alphabetical order.
    pub exports: Vec<String>,
    /// The initial size of the linear memory, in bytes.
    pub memory_bytes_min: u64,
    /// The maximum size of the linear memory according to the module, in bytes; `None` if it has no maximum.
    pub memory_bytes_max: Option<u64>,
}

impl ModuleManifest {
    /// Returns the manifest of a module that passes all checks of admission that do not need compiling.
    ///
    /// # Errors
    ///
    /// The errors of [`check`].
    pub fn check(module: &[u8], limits: &Limits) -> Result<ModuleManifest, Refusal> {
        check(module, limits).map(|admitted| admitted.manifest)
    }

    /// Checks the size of a file before it is read as a module.
    ///
    /// # Errors
    ///
    /// The error that [`ModuleManifest::check`] would return for the file.
    pub fn check_file(bytes: u64, limits: &Limits) -> Result<(), Refusal> {
        check_file(bytes, limits)
    }
}

/// Performs all checks that do not need compiling. Linear in the module's size. Sizes that a module declares are checked before
/// memory is allocated for them.
///
/// # Errors
///
/// The first rule that the module violates.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<Admitted, Refusal> {
    check_shape(bytes, limits).map_err(|refusal| match refusal {
        Refusal::TooLarge(exceeded) => Refusal::TooLarge(exceeded.named(bytes)),
        other => other,
    })
}

/// Checks the size of a file before it is read.
fn check_file(bytes: u64, limits: &Limits) -> Result<(), Refusal> {
    let most = limits.module.module_file_bytes_max;
    let found = usize::try_from(bytes).unwrap_or(usize::MAX);
    match found > most {
        true => Err(Refusal::TooLarge(CapExceeded::of_key("module_file_bytes_max", most, found, None))),
        false => Ok(()),
    }
}

fn check_shape(bytes: &[u8], limits: &Limits) -> Result<Admitted, Refusal> {
    check_file(bytes.len() as u64, limits)?;
    check_header(bytes)?;
    let module_bytes = bytes.len() - custom_bytes(bytes);
    if module_bytes > limits.module_bytes_max {
        let exceeded = CapExceeded::of_module(MODULE_BYTES, limits.module_bytes_max, module_bytes);
        return Err(Refusal::TooLarge(exceeded));
    }
    let mut scan = Scan::new(&limits.module, module_bytes);
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
        // After the validator, which has resolved the types of imports.
        if let Payload::ImportSection(section) = &payload {
            for import in section.clone().into_imports() {
                scan.import(&import.map_err(|error| invalid(&error))?)?;
            }
        }
    }
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
    let manifest = ModuleManifest::read_within(bytes, limits.module.manifest_bytes_max)?;
    check_exports(&scan, &types, &manifest)?;
    let mut exports: Vec<String> = scan.exports.keys().map(|name| clean(name)).collect();
    exports.sort_unstable();
    Ok(Admitted { manifest, imports: scan.imports, exports, memory_bytes_min, memory_bytes_max })
}

/// The allowed WebAssembly proposals; the engine's configuration has the same list for the compiler.
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

/// The state of the checks of a module.
struct Scan<'a> {
    caps: &'a ModuleLimits,
    // Without custom sections, which are not compiled and therefore do not raise caps.
    module_bytes: usize,
    types: Vec<FuncType>,
    functions_imported: u32,
    // The number of parameters and results of each imported function.
    imported_values: Vec<usize>,
    // The type of each function of the module itself, and the number of bodies so far.
    functions: Vec<u32>,
    bodies: u32,
    imports: Vec<String>,
    // The first imported function of WASI.
    wasi: Option<(String, String)>,
    exports: HashMap<String, (ExternalKind, u32)>,
    locals: Total,
    loops: Total,
    br_table_targets: Total,
    bulk_operations: Total,
    indirect_calls: Total,
    branch_values: Total,
    carried_values: Total,
    joins: Total,
    call_values: Total,
    // Reused for every function.
    joined: Joins,
}

/// A sum over all functions.
#[derive(Clone, Copy, Default)]
struct Total {
    all: usize,
    of_function: usize,
    // The largest contribution and its function.
    most: (usize, u32),
}

impl Total {
    fn add(&mut self, count: usize, function: u32) {
        self.all = self.all.saturating_add(count);
        self.of_function = self.of_function.saturating_add(count);
        if self.of_function > self.most.0 {
            self.most = (self.of_function, function);
        }
    }
}

/// An open block.
#[derive(Clone, Copy)]
struct Open {
    is_loop: bool,
    /// The maximum number of values that a branch to it carries.
    carries: usize,
}

/// Returns an error if a function exceeds the cap of this key.
macro_rules! cap {
    ($scan:ident.$key:ident, $found:expr) => {
        cap!($scan.$key, $found, None)
    };
    ($scan:ident.$key:ident, $found:expr, $place:expr) => {
        cap!($scan.$key, $scan.caps.$key, $found, $place)
    };
    ($scan:ident.$key:ident, $most:expr, $found:expr, $place:expr) => {
        let (most, found): (usize, usize) = ($most, $found);
        if found > most {
            return Err(Refusal::TooLarge(CapExceeded::of_key(stringify!($key), most, found, $place)));
        }
    };
}

/// The same for a sum over all functions; with a second key, in proportion to the module's size.
macro_rules! cap_all {
    ($scan:ident.$key:ident, $total:ident) => {
        cap!($scan.$key, $scan.caps.$key, $scan.$total.all, Some($scan.mostly($scan.$total)))
    };
    ($scan:ident.$key:ident, $per_kib:ident, $total:ident) => {
        let most = ModuleLimits::in_proportion($scan.caps.$key, $scan.caps.$per_kib, $scan.module_bytes);
        cap!($scan.$key, most, $scan.$total.all, Some($scan.mostly($scan.$total)))
    };
}

impl Scan<'_> {
    fn new(caps: &ModuleLimits, module_bytes: usize) -> Scan<'_> {
        Scan {
            caps,
            module_bytes,
            types: Vec::new(),
            functions_imported: 0,
            imported_values: Vec::new(),
            functions: Vec::new(),
            bodies: 0,
            imports: Vec::new(),
            wasi: None,
            exports: HashMap::new(),
            locals: Total::default(),
            loops: Total::default(),
            br_table_targets: Total::default(),
            bulk_operations: Total::default(),
            indirect_calls: Total::default(),
            branch_values: Total::default(),
            carried_values: Total::default(),
            joins: Total::default(),
            call_values: Total::default(),
            joined: Joins::default(),
        }
    }

    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(section) => {
                cap!(self.types_max, section.count() as usize);
                for group in section.clone() {
                    for sub_type in group.map_err(|error| invalid(&error))?.into_types() {
                        // The validator refuses other kinds of types.
                        let CompositeInnerType::Func(function) = sub_type.composite_type.inner else { continue };
                        let place = || Some(CapPlace::Type(u32::try_from(self.types.len()).unwrap_or(u32::MAX)));
                        cap!(self.function_params_max, function.params().len(), place());
                        cap!(self.function_results_max, function.results().len(), place());
                        self.types.push(function);
                    }
                }
            }
            Payload::ImportSection(section) => {
                cap!(self.imports_max, section.count() as usize);
            }
            Payload::FunctionSection(section) => {
                cap!(self.functions_max, section.count() as usize);
                let mut values = 0_usize;
                for function in section.clone() {
                    let index = function.map_err(|error| invalid(&error))?;
                    values = values.saturating_add(self.arity(index));
                    self.functions.push(index);
                }
                cap!(self.signature_values_max, values);
            }
            Payload::TableSection(section) => {
                cap!(self.tables_max, section.count() as usize);
            }
            Payload::GlobalSection(section) => {
                cap!(self.globals_max, section.count() as usize);
            }
            Payload::ElementSection(section) => {
                cap!(self.element_segments_max, section.count() as usize);
            }
            Payload::DataSection(section) => {
                let ModuleLimits { data_segments_max, data_segments_per_kib_max, .. } = *self.caps;
                let most = ModuleLimits::in_proportion(data_segments_max, data_segments_per_kib_max, self.module_bytes);
                cap!(self.data_segments_max, most, section.count() as usize, None);
            }
            Payload::ExportSection(section) => {
                cap!(self.exports_max, section.count() as usize);
                for export in section.clone() {
                    let export = export.map_err(|error| invalid(&error))?;
                    // The validator refuses repeated names.
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
                self.functions_imported = self.functions_imported.saturating_add(1);
                self.imported_values.push(self.arity(index));
                if import.module.starts_with("wasi") {
                    // Reported after the exports are known: if the module is a command, that is reported first.
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

    /// The number of parameters and results of a type; 0 if there is no such type, which the validator reports.
    fn arity(&self, index: u32) -> usize {
        self.types.get(index as usize).map_or(0, |function| function.params().len() + function.results().len())
    }

    /// The number of parameters and results of a function, imported or not.
    fn values_of(&self, function: u32) -> usize {
        let index = function as usize;
        match index.checked_sub(self.imported_values.len()) {
            None => self.imported_values.get(index).copied().unwrap_or(0),
            Some(own) => self.functions.get(own).map_or(0, |&index| self.arity(index)),
        }
    }

    fn block(&self, is_loop: bool, block: BlockType) -> Open {
        let carries = match block {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(index) => self.arity(index),
        };
        Open { is_loop, carries }
    }

    /// The function that contributes most to a sum.
    fn mostly(&self, total: Total) -> CapPlace {
        CapPlace::Mostly { index: self.functions_imported.saturating_add(total.most.1), name: None }
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), Refusal> {
        let own = self.bodies;
        self.bodies = self.bodies.saturating_add(1);
        let index = self.functions_imported.saturating_add(own);
        let here = || Some(CapPlace::Function { index, name: None });
        let totals = [
            &mut self.locals,
            &mut self.loops,
            &mut self.br_table_targets,
            &mut self.bulk_operations,
            &mut self.indirect_calls,
            &mut self.branch_values,
            &mut self.carried_values,
            &mut self.joins,
            &mut self.call_values,
        ];
        totals.into_iter().for_each(|total| total.of_function = 0);

        cap!(self.function_bytes_max, body.range().len(), here());
        let mut locals = 0_usize;
        for local in body.get_locals_reader().map_err(|error| invalid(&error))? {
            let (count, _) = local.map_err(|error| invalid(&error))?;
            locals = locals.saturating_add(count as usize);
        }
        cap!(self.function_locals_max, locals, here());
        self.locals.add(locals, own);
        cap_all!(self.locals_max, locals);

        // The function's own block carries its results; its parameters are locals too.
        let signature = self.functions.get(own as usize).map_or(0, |&index| self.arity(index));
        let locals = locals.saturating_add(signature);
        self.joined.begin(locals);
        let mut blocks = 0_usize;
        let mut open: Vec<Open> = Vec::new();
        let mut open_loops = 0_usize;
        for operator in body.get_operators_reader().map_err(|error| invalid(&error))? {
            // The number of branches, and the outermost target.
            let mut branches = (0_usize, 0_u32);
            let (mut joins, mut call_values) = (0_usize, 0_usize);
            match operator.map_err(|error| invalid(&error))? {
                Operator::Block { blockty } | Operator::If { blockty } => {
                    let block = self.block(false, blockty);
                    joins = self.joined.open(block.carries);
                    open.push(block);
                    blocks += 1;
                    branches = (1, 0);
                }
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => branches = (1, relative_depth),
                Operator::Loop { blockty } => {
                    let block = self.block(true, blockty);
                    joins = self.joined.open(block.carries);
                    open.push(block);
                    branches = (1, 0);
                    open_loops += 1;
                    self.loops.add(1, own);
                    cap!(self.loop_depth_max, open_loops, here());
                    cap_all!(self.loops_max, loops);
                }
                Operator::End => {
                    open_loops -= usize::from(open.pop().is_some_and(|open| open.is_loop));
                    self.joined.close();
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    joins = self.joined.set(local_index);
                }
                Operator::Call { function_index } => {
                    call_values = self.values_of(function_index);
                }
                Operator::BrTable { targets } => {
                    // All targets carry the same number of values.
                    branches = (targets.len() as usize + 1, targets.default());
                    self.br_table_targets.add(targets.len() as usize, own);
                    let in_function = self.br_table_targets.of_function;
                    cap!(self.function_br_table_targets_max, in_function, here());
                    cap_all!(self.br_table_targets_max, br_table_targets_per_kib_max, br_table_targets);
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
                    self.bulk_operations.add(1, own);
                    cap_all!(self.bulk_operations_max, bulk_operations);
                }
                Operator::CallIndirect { type_index, .. } => {
                    call_values = self.arity(type_index);
                    self.indirect_calls.add(1, own);
                    cap_all!(self.indirect_calls_max, indirect_calls);
                }
                _ => {}
            }
            cap!(self.function_blocks_max, blocks, here());
            cap!(self.block_depth_max, open.len(), here());
            if joins > 0 {
                self.joins.add(joins, own);
                cap!(self.function_joins_max, self.joins.of_function, here());
                cap_all!(self.joins_max, joins_per_kib_max, joins);
            }
            if call_values > 0 {
                self.call_values.add(call_values, own);
                cap_all!(self.call_values_max, call_values_per_kib_max, call_values);
            }
            let (branches, depth) = branches;
            if branches > 0 {
                cap!(self.function_nest_values_max, locals.saturating_mul(open.len()), here());
                let target = open.len().checked_sub(1 + depth as usize).and_then(|index| open.get(index));
                let carried = target.map_or(signature, |target| target.carries);
                self.carried_values.add(branches.saturating_mul(carried), own);
                let values = locals.saturating_add(carried);
                self.branch_values.add(branches.saturating_mul(values), own);
                cap!(self.function_branch_values_max, self.branch_values.of_function, here());
                cap_all!(self.branch_values_max, branch_values_per_kib_max, branch_values);
                cap_all!(self.carried_values_max, carried_values);
            }
        }
        Ok(())
    }
}

/// Checks the initial and the maximum size of the memory.
fn check_memory(scan: &Scan<'_>, types: &TypesRef<'_>, limits: &Limits) -> Result<(u64, Option<u64>), Refusal> {
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
    // Memory64 is refused, so these are at most 2^16 pages.
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

fn check_exports(scan: &Scan<'_>, types: &TypesRef<'_>, manifest: &ModuleManifest) -> Result<(), Refusal> {
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

fn check_export(scan: &Scan<'_>, types: &TypesRef<'_>, export: String, expected: &str) -> Result<(), Refusal> {
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

/// A type in the notation of the ABI: `(i32, i32) -> i64`.
fn signature(function: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match function.results() {
        [] => format!("({})", list(function.params())),
        [one] => format!("({}) -> {one}", list(function.params())),
        many => format!("({}) -> ({})", list(function.params()), list(many)),
    }
}
