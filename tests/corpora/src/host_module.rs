//! From a [`HostProgram`] to a module.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, InstructionSink, MemArg, MemorySection, MemoryType, Module, StartSection, TypeSection, ValType,
};
use weir_abi::{CALL_PREFIX, IMPORT_MODULE, INIT_PREFIX, MANIFEST_SECTION, MEMORY};
use weir_batch::{Batch, BatchError, DataType, Field};
use weir_sandbox::IMPORTS;

use std::sync::Arc;

use crate::batches::batch_of;
use crate::host_calls::{Argument, HostProgram, Step, signature};
use crate::sections::append_custom;

/// Rows of [`host_batch`]: several words of a bitmap, and no multiple of 8.
const ROWS: usize = 203;

/// A bitmap of more ones than there are rows, values that are all 0, and offsets that are.
const ONES: i32 = 256;
const ZEROS: i32 = 4096;
const ZERO_OFFSETS: i32 = 8192;

const OUTPUT: [(&str, DataType, bool); 4] = [
    ("o", DataType::I64, true),
    ("t", DataType::Utf8, true),
    ("b", DataType::Bool, false),
    ("y", DataType::Binary, false),
];

// Locals of every function. A batch's rows are its parameter; elsewhere it has none.
const ROWS_LOCAL: u32 = 0;
const ARGUMENTS: u32 = 1;
const ANSWER: u32 = 7;
const COVERED: u32 = 8;
const PARENTS: u32 = 9;
const EMITTED: u32 = 10;
const ANSWERS: u32 = 14;
const COUNTER: u32 = 18;
const FAILED: u32 = 19;
const DOUBLE: u32 = 20;

/// A batch with a column of every type, each with values missing: those of the first are not allowed to be missing by
/// the function, so that rows fail before it sees them.
///
/// # Errors
///
/// None, with fields as they are.
pub fn host_batch() -> Result<Arc<Batch>, BatchError> {
    batch_of(input().into_iter().map(|field| Field::nullable(field.name, field.data_type)).collect(), ROWS)
}

fn input() -> Vec<Field> {
    use DataType as Type;
    let types =
        [Type::Bool, Type::I8, Type::I16, Type::I32, Type::I64, Type::Timestamp, Type::F64, Type::Utf8, Type::Binary];
    // Names of several lengths: values depend on them, and nulls are all in the same rows otherwise.
    types.into_iter().map(|data_type| Field::with_nulls(data_type.name(), data_type, data_type != Type::Bool)).collect()
}

/// The module that does what the program says.
pub fn host_module(program: &HostProgram) -> Vec<u8> {
    let (mut types, mut imports, mut functions) = (TypeSection::new(), ImportSection::new(), FunctionSection::new());
    for (import, index) in IMPORTS.iter().zip(0..) {
        let (params, result) = signature(import);
        types.ty().function(params, [result]);
        imports.import(IMPORT_MODULE, import.name, EntityType::Function(index));
    }
    let imported = IMPORTS.len() as u32;
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([], [ValType::I32]);
    types.ty().function([], []);

    let (mut exports, mut codes) = (ExportSection::new(), CodeSection::new());
    exports.export(MEMORY, ExportKind::Memory, 0);
    functions.function(imported);
    codes.function(&Body::new(true).steps(&program.batch).finish(program).end(Some(program.result)));
    exports.export(&format!("{CALL_PREFIX}f"), ExportKind::Func, imported);
    functions.function(imported + 1);
    codes.function(&Body::new(false).steps(&program.init).end(Some(0)));
    exports.export(&format!("{INIT_PREFIX}f"), ExportKind::Func, imported + 1);
    let mut start = None;
    if !program.start.is_empty() {
        functions.function(imported + 2);
        codes.function(&Body::new(false).steps(&program.start).end(None));
        start = Some(StartSection { function_index: imported + 2 });
    }

    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut data = DataSection::new();
    let doubles: Vec<u8> =
        [1.0, 2.0, f64::NAN, -1.0, f64::INFINITY, 3.5].iter().flat_map(|n: &f64| n.to_le_bytes()).collect();
    let ascending: Vec<u8> = (0..64_u32).flat_map(u32::to_le_bytes).collect();
    let pieces: [(i32, &[u8]); 7] = [
        (0, &program.data),
        (ONES, &[0xff; 64]),
        (512, b"\x01\0\0\0l\0\0\0\x05\0\0\0label"),
        (640, &doubles),
        (768, &ascending),
        (1024, "text, längerer Text\u{1b}[31m\nand another line".as_bytes()),
        (1100, b"\xff\xfe\xc3"),
    ];
    for (address, bytes) in pieces {
        data.active(0, &ConstExpr::i32_const(address), bytes.iter().copied());
    }

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&exports);
    if let Some(start) = &start {
        module.section(start);
    }
    module.section(&codes).section(&data);
    append_custom(&module.finish(), MANIFEST_SECTION, manifest(program).as_bytes())
}

fn manifest(program: &HostProgram) -> String {
    let field = |name: &str, data_type: DataType, nullable: bool| {
        format!(r#"{{"name":"{name}","type":"{data_type}","nullable":{nullable}}}"#)
    };
    let input: Vec<String> = input().iter().map(|input| field(&input.name, input.data_type, input.nullable)).collect();
    let output: Vec<String> =
        OUTPUT.iter().map(|&(name, data_type, nullable)| field(name, data_type, nullable)).collect();
    let (kind, output) = match program.kind {
        "metrics" => (r#""kind":"metrics""#.to_owned(), String::new()),
        shape => {
            let output = if shape == "filter" { String::new() } else { output.join(",") };
            (format!(r#""kind":"transform","output_shape":"{shape}""#), output)
        }
    };
    let params = r#"{"name":"n","type":"i64","default":7},{"name":"x","type":"f64","default":2.5},{"name":"s","type":"utf8","default":"words"},{"name":"b","type":"bool","default":true}"#;
    let metrics = r#"{"name":"c","kind":"counter"},{"name":"g","kind":"gauge","labels":["l"]},{"name":"h","kind":"histogram","labels":["l"],"buckets":[0,2,4]},{"name":"k","kind":"counter","labels":["l","m"]}"#;
    format!(
        r#"{{"abi":1,"name":"f",{kind},"fallible":{},"input":[{}],"output":[{output}],"params":[{params}],"metrics":[{metrics}]}}"#,
        program.fallible,
        input.join(",")
    )
}

/// A function in the making. It keeps account of what the host took of it, so that it can answer for the rest.
struct Body(Function);

impl Body {
    fn new(has_rows: bool) -> Body {
        let integers = if has_rows { DOUBLE - 1 } else { DOUBLE };
        Body(Function::new([(integers, ValType::I32), (1, ValType::F64)]))
    }

    fn end(mut self, result: Option<i32>) -> Function {
        let mut code = self.0.instructions();
        if let Some(result) = result {
            code.i32_const(result);
        }
        code.end();
        self.0
    }

    fn steps(mut self, steps: &[Step]) -> Body {
        let mut code = self.0.instructions();
        for (step, number) in steps.iter().zip(0..) {
            match step {
                Step::Unreachable => {
                    code.unreachable();
                }
                Step::Grow(pages) => {
                    code.i32_const(i32::from(*pages)).memory_grow(0).drop();
                }
                Step::Store { pointer, value } => {
                    code.i32_const(*pointer).i32_const(*value).i32_store(at(0));
                }
                Step::Call { import, arguments, times } => {
                    code.i32_const(i32::from(*times)).local_set(COUNTER).loop_(BlockType::Empty);
                    call(&mut code, *import, arguments, number);
                    code.local_get(COUNTER).i32_const(1).i32_sub().local_tee(COUNTER).i32_const(0).i32_gt_s();
                    code.br_if(0).end();
                }
            }
        }
        self
    }

    /// Answers for the rows, and the values of output rows, that are not answered for: all are kept but for those that
    /// failed, and all values are 0.
    fn finish(mut self, program: &HostProgram) -> Body {
        let mut code = self.0.instructions();
        if !program.finish {
            return self;
        }
        let bitmap = match program.kind {
            "filter" | "filter_map" => true,
            "map" => program.fallible,
            _ => false,
        };
        if bitmap {
            code.i32_const(ONES)
                .local_get(ROWS_LOCAL)
                .local_get(COVERED)
                .i32_sub()
                .call(import_index("emit_filter"))
                .drop();
        }
        let mut output_rows = PARENTS;
        if program.kind != "flat_map" {
            output_rows = COVERED;
            code.local_get(ROWS_LOCAL).local_get(FAILED).i32_sub().local_set(COVERED);
        }
        if !matches!(program.kind, "filter" | "metrics") {
            for (&(_, data_type, _), field) in OUTPUT.iter().zip(0..) {
                code.i32_const(field);
                let emitted = EMITTED + field as u32;
                if data_type.width().is_some() {
                    code.i32_const(ZEROS).local_get(output_rows).local_get(emitted).i32_sub().i32_const(0);
                    code.call(import_index("emit_column")).drop();
                } else {
                    code.i32_const(ZERO_OFFSETS).local_get(output_rows).local_get(emitted).i32_sub();
                    code.i32_const(0).i32_const(0).i32_const(0).call(import_index("emit_bytes")).drop();
                }
            }
        }
        self
    }
}

fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: 0 }
}

fn import_index(name: &str) -> u32 {
    IMPORTS.iter().zip(0..).find(|(import, _)| import.name == name).map_or(0, |(_, index)| index)
}

fn call(code: &mut InstructionSink<'_>, import: usize, arguments: &[Argument], number: u32) {
    let Some(known) = IMPORTS.get(import) else { return };
    let (params, result) = signature(known);
    for ((argument, param), local) in arguments.iter().zip(&params).zip(ARGUMENTS..) {
        match (*argument, param) {
            (Argument::Double(value), _) => code.f64_const(value.into()),
            (Argument::Number(value), _) => code.i32_const(value),
            (Argument::Rows(more), _) => code.local_get(ROWS_LOCAL).i32_const(i32::from(more)).i32_add(),
            (Argument::Answer(which), _) => code.local_get(ANSWERS + u32::from(which) % 4),
        };
        code.local_set(if *param == ValType::F64 { DOUBLE } else { local });
    }
    for (param, local) in params.iter().zip(ARGUMENTS..) {
        code.local_get(if *param == ValType::F64 { DOUBLE } else { local });
    }
    code.call(import as u32);
    if result != ValType::I32 {
        code.drop();
        return;
    }
    code.local_tee(ANSWER).local_set(ANSWERS + number % 4);
    // What the host took, by which argument says how much.
    let mut took = |total: u32, count: u32| {
        code.local_get(ANSWER).i32_eqz().if_(BlockType::Empty);
        code.local_get(total).local_get(ARGUMENTS + count).i32_add().local_set(total).end();
    };
    match known.name {
        "emit_filter" => took(COVERED, 1),
        "emit_parents" => took(PARENTS, 1),
        "emit_column" | "emit_bytes" => {
            for field in 0..OUTPUT.len() as u32 {
                code.local_get(ANSWER).i32_eqz().local_get(ARGUMENTS).i32_const(field as i32).i32_eq().i32_and();
                code.if_(BlockType::Empty).local_get(EMITTED + field).local_get(ARGUMENTS + 2).i32_add();
                code.local_set(EMITTED + field).end();
            }
        }
        // Its bit is taken out of those that `finish` emits.
        "row_error" => {
            code.local_get(ANSWER).i32_eqz().if_(BlockType::Empty);
            for _ in 0..2 {
                code.local_get(ARGUMENTS).i32_const(3).i32_shr_u();
            }
            code.i32_load8_u(at(ONES as u64));
            code.i32_const(1).local_get(ARGUMENTS).i32_const(7).i32_and().i32_shl().i32_const(-1).i32_xor().i32_and();
            code.i32_store8(at(ONES as u64));
            code.local_get(FAILED).i32_const(1).i32_add().local_set(FAILED).end();
        }
        _ => {}
    }
}
