//! Modules that were not written for the contract, made to fit it.

use wasm_encoder::{Encode, ExportKind, Function, SectionId, ValType};
use wasmparser::{CompositeInnerType, Export, ExternalKind, Import, Parser, Payload, SubType, TypeRef};
use weir_abi::{CALL_PREFIX, IMPORT_MODULE, MEMORY};

use crate::sections::{Added, merge, sections};

/// Exports that the added function calls.
const CALLED_MAX: usize = 16;

/// The valid module, made to fit the contract: with an export `memory`, and with an export `weir_call_f` that calls the
/// other functions exported, where they take nothing or one `i32`; keeps of the rows what happens to lie at address 0,
/// where the module imports the means; and says that all is well. `None` where the module is not valid, or exports
/// something else under these names.
pub fn dress(module: &[u8]) -> Option<Vec<u8>> {
    let shape = Shape::of(module)?;
    let (mut types, mut functions, mut exports, mut codes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The one function type: (i32) -> i32.
    types.extend([0x60, 1, 0x7f, 1, 0x7f]);
    shape.types.encode(&mut functions);
    let mut export_count = 1;
    if !shape.exports_memory {
        export(&mut exports, MEMORY, ExportKind::Memory, 0);
        export_count += 1;
    }
    export(&mut exports, &call_export(), ExportKind::Func, shape.functions);
    shape.body().encode(&mut codes);

    let added = |section, count, items| Added { section, count, items };
    let mut all = vec![
        added(SectionId::Type, 1, types),
        added(SectionId::Function, 1, functions),
        added(SectionId::Export, export_count, exports),
        added(SectionId::Code, 1, codes),
    ];
    if shape.memories == 0 {
        all.push(added(SectionId::Memory, 1, vec![0x00, 1]));
    }
    merge(&sections(module)?, all)
}

fn call_export() -> String {
    format!("{CALL_PREFIX}f")
}

fn export(bytes: &mut Vec<u8>, name: &str, kind: ExportKind, index: u32) {
    name.encode(bytes);
    kind.encode(bytes);
    index.encode(bytes);
}

/// What there is to know of a module.
#[derive(Default)]
struct Shape {
    types: u32,
    functions: u32,
    memories: u32,
    exports_memory: bool,
    callable: Vec<Callable>,
    emit_filter: Option<u32>,
}

/// An exported function that takes nothing or one `i32`.
struct Callable {
    index: u32,
    takes_one: bool,
    results: usize,
}

impl Shape {
    fn of(module: &[u8]) -> Option<Shape> {
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(module).ok()?;
        let mut shape = Shape::default();
        let (mut types, mut functions) = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload.ok()? {
                Payload::TypeSection(section) => {
                    for group in section {
                        types.extend(group.ok()?.into_types());
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        shape.import(&import.ok()?, &mut functions)?;
                    }
                }
                Payload::FunctionSection(section) => {
                    for index in section {
                        functions.push(index.ok()?);
                    }
                }
                Payload::MemorySection(section) => shape.memories += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        shape.export(&export.ok()?, &types, &functions)?;
                    }
                }
                Payload::ComponentSection { .. } => return None,
                _ => {}
            }
        }
        shape.types = u32::try_from(types.len()).ok()?;
        shape.functions = u32::try_from(functions.len()).ok()?;
        Some(shape)
    }

    fn import(&mut self, import: &Import<'_>, functions: &mut Vec<u32>) -> Option<()> {
        match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                if (import.module, import.name) == (IMPORT_MODULE, "emit_filter") {
                    self.emit_filter = Some(u32::try_from(functions.len()).ok()?);
                }
                functions.push(index);
            }
            TypeRef::Memory(_) => self.memories += 1,
            TypeRef::Table(_) | TypeRef::Global(_) | TypeRef::Tag(_) => {}
        }
        Some(())
    }

    fn export(&mut self, export: &Export<'_>, types: &[SubType], functions: &[u32]) -> Option<()> {
        match (export.name, export.kind) {
            (MEMORY, ExternalKind::Memory) => self.exports_memory = true,
            (name, _) if name == MEMORY || name == call_export() => return None,
            (_, ExternalKind::Func) => {
                let index = *functions.get(export.index as usize)?;
                let CompositeInnerType::Func(function) = &types.get(index as usize)?.composite_type.inner else {
                    return None;
                };
                let takes_one = match function.params() {
                    [] => false,
                    [wasmparser::ValType::I32] => true,
                    _ => return Some(()),
                };
                self.callable.push(Callable { index: export.index, takes_one, results: function.results().len() });
            }
            _ => {}
        }
        Some(())
    }

    fn body(&self) -> Function {
        let mut body = Function::new::<[(u32, ValType); 0]>([]);
        let mut code = body.instructions();
        for callable in self.callable.iter().take(CALLED_MAX) {
            if callable.takes_one {
                code.local_get(0);
            }
            code.call(callable.index);
            for _ in 0..callable.results {
                code.drop();
            }
        }
        if let Some(emit_filter) = self.emit_filter {
            code.i32_const(0).local_get(0).call(emit_filter).drop();
        }
        code.i32_const(0).end();
        body
    }
}

#[cfg(test)]
mod tests {
    use weir_sandbox::{Limits, ModuleManifest};

    use super::*;
    use crate::{Rng, with_manifest};

    fn admissible(text: &str) -> bool {
        let buffer = wast::parser::ParseBuffer::new(text).unwrap();
        let module = wast::parser::parse::<wast::Wat<'_>>(&buffer).unwrap().encode().unwrap();
        let Some(dressed) = dress(&module) else { return false };
        let dressed = with_manifest(&dressed, None, &mut Rng::of(0, "dress", 0));
        ModuleManifest::check(&dressed, &Limits::default()).unwrap();
        true
    }

    #[test]
    fn whatever_can_be_called_becomes_admissible() {
        assert!(admissible("(module)"));
        assert!(admissible(
            r#"(module (memory (export "m") 1) (func (export "a") (param i32) (result i32 i64) (i32.const 1) (i64.const 2)))"#
        ));
        assert!(admissible(
            r#"(module (import "weir_v1" "emit_filter" (func (param i32 i32) (result i32)))
                 (memory (export "memory") 1) (global i32 (i32.const 0)) (func $s) (start $s) (data (i32.const 0) "\ff"))"#
        ));
    }

    #[test]
    fn names_that_are_taken_are_left_alone() {
        assert!(!admissible(r#"(module (func (export "memory")))"#));
        assert!(!admissible(r#"(module (func (export "weir_call_f")))"#));
    }
}
