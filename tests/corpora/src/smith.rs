//! Modules by wasm-smith, which knows what is valid and not what is sensible.

use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices};
use weir_abi::{CALL_PREFIX, IMPORT_MODULE, INIT_PREFIX, MEMORY};
use weir_sandbox::IMPORTS;

use crate::host_calls::signature;
use crate::{Rng, dress, with_manifest};

/// A module for which every proposal is allowed, and nothing of the contract is known; half of them are then made to
/// fit as far as that goes. `None` where the random bytes make none.
pub fn smith_plain(rng: &mut Rng) -> Option<Vec<u8>> {
    let bytes = rng.bytes(4 << 10);
    let mut config = Config::arbitrary(&mut Unstructured::new(&bytes)).ok()?;
    config.generate_custom_sections = rng.one_in(2);
    config.allow_invalid_funcs = rng.one_in(4);
    config.custom_page_sizes_enabled = rng.one_in(4);
    config.wide_arithmetic_enabled = rng.one_in(4);
    config.shared_everything_threads_enabled = rng.one_in(8);
    if rng.one_in(2) {
        // What the contract has room for, or next to nothing would be dressed and admitted.
        within_features(&mut config);
        config.max_imports = 0;
        config.max_memory32_bytes = 2 << 20;
        config.max_memories = 1;
        config.max_tables = config.max_tables.min(3);
        config.max_table_elements = 1_000;
    }
    let length = 64 + rng.below(4 << 10);
    let module = generate(config, &rng.bytes(length))?;
    Some(match rng.below(4) {
        0 => module,
        1 => with_manifest(&module, None, rng),
        _ => match dress(&module) {
            Some(dressed) => with_manifest(&dressed, Some("metrics"), rng),
            None => module,
        },
    })
}

/// A module that keeps the contract, but for what it does: it imports host functions at their types, and exports the
/// memory and the functions that a manifest of a random kind asks for.
pub fn smith_fitted(rng: &mut Rng) -> Option<Vec<u8>> {
    let mut config = Config {
        available_imports: Some(imports().to_vec()),
        exports: Some(exports(rng)),
        allow_floats: true,
        allow_start_export: rng.one_in(4),
        max_instructions: 20 + rng.below(400),
        max_funcs: 30 + rng.below(20),
        max_imports: IMPORTS.len(),
        // None beside the one that is exported.
        max_memories: 0,
        max_tables: rng.below(4),
        max_table_elements: 1_000,
        max_data_segments: rng.below(20),
        max_element_segments: rng.below(10),
        max_type_size: 100,
        memory_offset_choices: MemoryOffsetChoices(95, 4, 1),
        disallow_traps: !rng.one_in(3),
        ..Config::default()
    };
    within_features(&mut config);
    // Most of it calls, if it is not to be arithmetic alone.
    if rng.one_in(2) {
        config.allowed_instructions = InstructionKinds::new(&[
            InstructionKind::Numeric,
            InstructionKind::Variable,
            InstructionKind::Control,
            InstructionKind::Parametric,
            InstructionKind::Memory,
        ]);
    }
    let length = 256 + rng.below(4 << 10);
    let module = generate(config, &rng.bytes(length))?;
    // What is generated hardly ever answers 0. Half of the functions are called by one that does.
    if rng.one_in(2) {
        return Some(with_manifest(&module, None, rng));
    }
    let renamed = rename_call(&module)?;
    let kind = *rng.pick(&["filter", "metrics", "filter", "metrics", "map", "filter_map", "flat_map"]);
    Some(with_manifest(&dress(&renamed)?, Some(kind), rng))
}

/// Only the proposals that the sandbox allows.
fn within_features(config: &mut Config) {
    config.gc_enabled = false;
    config.threads_enabled = false;
    config.exceptions_enabled = false;
    config.tail_call_enabled = false;
    config.memory64_enabled = false;
    config.extended_const_enabled = false;
    config.custom_page_sizes_enabled = false;
    config.wide_arithmetic_enabled = false;
    config.shared_everything_threads_enabled = false;
    config.custom_descriptors_enabled = false;
    config.allow_invalid_funcs = false;
    // They bring `externref`, which is refused, and with it whatever has a parameter of it.
    config.reference_types_enabled = false;
}

fn generate(config: Config, bytes: &[u8]) -> Option<Vec<u8>> {
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(bytes)).ok()?;
    Some(module.to_bytes())
}

/// A module that imports every host function, for wasm-smith to choose from.
fn imports() -> &'static [u8] {
    static MODULE: OnceLock<Vec<u8>> = OnceLock::new();
    MODULE.get_or_init(|| {
        let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
        for (import, index) in IMPORTS.iter().zip(0..) {
            let (params, result) = signature(import);
            types.ty().function(params, [result]);
            imports.import(IMPORT_MODULE, import.name, EntityType::Function(index));
        }
        let mut module = Module::new();
        module.section(&types).section(&imports);
        module.finish()
    })
}

/// A module with the exports that there are to be.
fn exports(rng: &mut Rng) -> Vec<u8> {
    let (mut types, mut functions, mut memories) = (TypeSection::new(), FunctionSection::new(), MemorySection::new());
    let (mut exports, mut codes) = (ExportSection::new(), CodeSection::new());
    let body = |result| {
        let mut body = Function::new::<[(u32, ValType); 0]>([]);
        body.instructions().i32_const(result).end();
        body
    };
    types.ty().function([ValType::I32], [ValType::I32]);
    functions.function(0);
    codes.function(&body(0));
    let minimum = rng.below(5) as u64;
    let maximum = rng.one_in(2).then_some(minimum + rng.below(70) as u64);
    memories.memory(MemoryType { minimum, maximum, memory64: false, shared: false, page_size_log2: None });
    exports.export(MEMORY, ExportKind::Memory, 0);
    exports.export(&format!("{CALL_PREFIX}f"), ExportKind::Func, 0);
    if rng.one_in(4) {
        types.ty().function([], [ValType::I32]);
        functions.function(1);
        codes.function(&body(0));
        exports.export(&format!("{INIT_PREFIX}f"), ExportKind::Func, 1);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&codes);
    module.finish()
}

/// The module with `weir_call_f` under another name of the same length, so that there can be a new one.
fn rename_call(module: &[u8]) -> Option<Vec<u8>> {
    let name = format!("{CALL_PREFIX}f");
    let at = module.windows(name.len()).position(|window| window == name.as_bytes())?;
    let mut renamed = module.to_vec();
    renamed[at] = b'W';
    Some(renamed)
}
