//! Whose fault each error is, and whether it is retryable.

use std::io;
use std::path::PathBuf;

use expect_test::expect;
use weir_batch::DataType;
use weir_fault::table;

use crate::{
    BindError, CacheError, CapExceeded, FunctionKind, LimitExceeded, LimitsError, Names, ParamType, Refusal, TenantId,
    Unit,
};

fn text() -> String {
    "t".to_owned()
}

fn limits() -> LimitsError {
    LimitsError { name: "memory_bytes_max", value: 0, least: 1, most: 2 }
}

#[test]
fn of_modules() {
    let limit = || LimitExceeded { name: "memory", unit: Unit::Bytes, limit: 1, current: 1, requested: 1 };
    let cap = CapExceeded { place: None, what: "", key: "", unit: Unit::Bytes, limit: 1, found: 2, mend: "" };
    let table = table![
        Refusal::TooLarge(cap),
        Refusal::InitialMemory(limit()),
        Refusal::InitialTable(limit()),
        Refusal::NotWasm,
        Refusal::Text,
        Refusal::Component,
        Refusal::Precompiled,
        Refusal::Invalid { message: text(), offset: 0 },
        Refusal::UnknownImport { module: text(), name: text() },
        Refusal::ToolchainImport { module: text(), name: text(), asks: "", mend: "" },
        Refusal::Command,
        Refusal::WasiImport { module: text(), name: text() },
        Refusal::ImportType { name: text(), expected: text(), found: text() },
        Refusal::ImportKind { kind: "", module: text(), name: text() },
        Refusal::NoMemory,
        Refusal::MissingExport { function: text(), export: text() },
        Refusal::ExportType { export: text(), expected: text(), found: text() },
        Refusal::NoManifest,
        Refusal::Manifest { line: 1, reason: text() },
        Refusal::Compile(text()),
        Refusal::CompileLimit(limit()),
        Refusal::CompilerEnded { how: text(), said: text() },
        Refusal::CompilerSilent { waited_s: 1 },
        Refusal::CompilerBusy { waiting: 1 },
        Refusal::Worker(text()),
        Refusal::Engine(text()),
        Refusal::Quarantined { reason: text() },
        Refusal::served("compile_cpu", text()),
        Refusal::Limits(limits()),
        limit(),
        limits(),
    ];
    expect![[r#"
        TooLarge: tenant
        InitialMemory: tenant
        InitialTable: tenant
        NotWasm: tenant
        Text: tenant
        Component: tenant
        Precompiled: tenant
        Invalid: tenant
        UnknownImport: tenant
        ToolchainImport: tenant
        Command: tenant
        WasiImport: tenant
        ImportType: tenant
        ImportKind: tenant
        NoMemory: tenant
        MissingExport: tenant
        ExportType: tenant
        NoManifest: tenant
        Manifest: tenant
        Compile: internal
        CompileLimit: tenant
        CompilerEnded: tenant
        CompilerSilent: external, retryable
        CompilerBusy: external, retryable
        Worker: internal, retryable
        Engine: internal
        Quarantined: internal
        Served: tenant
        Limits: internal
        LimitExceeded: tenant
        LimitsError: internal
    "#]]
    .assert_eq(&table);
}

#[test]
fn of_bindings_and_the_rest() {
    let (function, field, has) = (text, text, || Names(Vec::new()));
    let path = || PathBuf::from("p");
    let table = table![
        BindError::MissingField { function: function(), field: field(), nearest: None, has: has() },
        BindError::FieldType { function: function(), field: field(), expected: DataType::I64, found: DataType::Utf8 },
        BindError::UnknownParam { function: function(), param: text(), nearest: None, has: has() },
        BindError::ParamType {
            function: function(),
            param: text(),
            expected: ParamType::I64,
            found: ParamType::Bool,
            value: text(),
        },
        BindError::MissingParam { function: function(), param: text(), expected: ParamType::I64 },
        BindError::UnknownCarry { field: field(), nearest: None, has: has() },
        BindError::CarryTwice { field: field() },
        BindError::CarryClash { function: function(), field: field() },
        BindError::CarryWithoutOutput { function: function(), kind: FunctionKind::Metrics },
        BindError::OutputSchema { function: function(), reason: text() },
        CacheError::Io { path: path(), source: io::ErrorKind::NotFound.into() },
        CacheError::Open { path: path() },
        "A".parse::<TenantId>().expect_err("no tenant"),
    ];
    expect![[r#"
        MissingField: tenant
        FieldType: tenant
        UnknownParam: tenant
        ParamType: tenant
        MissingParam: tenant
        UnknownCarry: tenant
        CarryTwice: tenant
        CarryClash: tenant
        CarryWithoutOutput: tenant
        OutputSchema: tenant
        Io: external
        Open: external
        TenantIdError: tenant
    "#]]
    .assert_eq(&table);
}
