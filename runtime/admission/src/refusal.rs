//! Reasons for refusing a module.

use std::fmt;

use crate::{CapExceeded, Fault, LimitExceeded};

/// A module was refused, with what to change.
///
/// Names from the module have been escaped and cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The module, or a part of it, is larger than its tenant's limits allow.
    #[error("{0}")]
    TooLarge(CapExceeded),
    /// The initial memory exceeds the tenant's limit.
    #[error(
        "the module's initial memory: {0}; link with a smaller stack and less static data, or raise `memory_bytes_max` in the limits file"
    )]
    InitialMemory(LimitExceeded),
    /// The initial size of tables exceeds the tenant's limit.
    #[error(
        "the module's tables: {0}; reduce the number of functions that are called indirectly, or raise `table_elements_max` in the limits file"
    )]
    InitialTable(LimitExceeded),
    /// The bytes do not begin like a module.
    #[error("not a WebAssembly module: it must begin with the bytes 00 61 73 6d 01 00 00 00")]
    NotWasm,
    /// WebAssembly text.
    #[error("WebAssembly text: upload the binary form, as `wat2wasm` makes it")]
    Text,
    /// A component.
    #[error("a WebAssembly component: upload a core module, built for the target wasm32-unknown-unknown")]
    Component,
    /// Native code.
    #[error("native or precompiled code: upload the WebAssembly module from which it was made")]
    Precompiled,
    /// Invalid WebAssembly, or a proposal that is not allowed.
    #[error("not valid WebAssembly: {message} (at byte {offset})")]
    Invalid {
        /// The error of the validator.
        message: String,
        /// The position in bytes.
        offset: u64,
    },
    /// An imported function does not exist.
    #[error("imports `{module}.{name}`, which does not exist: only functions of `weir_v1` can be imported")]
    UnknownImport {
        /// The module of the import.
        module: String,
        /// The function.
        name: String,
    },
    /// An imported function does not exist here, although a toolchain expects it.
    #[error("imports `{module}.{name}`, for {asks}: {mend}")]
    ToolchainImport {
        /// The module of the import.
        module: String,
        /// The function.
        name: String,
        /// What needs the function.
        asks: &'static str,
        /// How to build without it.
        mend: &'static str,
    },
    /// A command: a module that runs once.
    #[error(
        "exports `_start`: a command runs only once, but Weir calls functions for every batch; build a reactor (Rust: \
         crate-type `cdylib`; C and C++: `-mexec-model=reactor` or `-Wl,--no-entry`; Go: `-buildmode=c-shared`)"
    )]
    Command,
    /// A function of WASI is imported.
    #[error("imports `{module}.{name}`: WASI is not supported; build for wasm32-unknown-unknown without I/O")]
    WasiImport {
        /// The module of the import.
        module: String,
        /// The function.
        name: String,
    },
    /// An import has another type than in the ABI.
    #[error("imports `weir_v1.{name}` with the type {found}, expected {expected}")]
    ImportType {
        /// The function.
        name: String,
        /// The type in the ABI.
        expected: String,
        /// The type in the module.
        found: String,
    },
    /// A memory, table, global or tag is imported.
    #[error("imports the {kind} `{module}.{name}`: only functions can be imported")]
    ImportKind {
        /// The kind of import.
        kind: &'static str,
        /// The module of the import.
        module: String,
        /// Its name.
        name: String,
    },
    /// The module has no memory, or does not export it.
    #[error("no export `memory`: define one memory and export it under this name")]
    NoMemory,
    /// An export of the ABI is missing.
    #[error("the manifest declares function `{function}`, but `{export}` is not exported")]
    MissingExport {
        /// The manifest's function.
        function: String,
        /// The required export.
        export: String,
    },
    /// An export of the ABI has another kind or type.
    #[error("exports `{export}` with the type {found}, expected {expected}")]
    ExportType {
        /// The export.
        export: String,
        /// The type in the ABI.
        expected: String,
        /// The type in the module.
        found: String,
    },
    /// The manifest is missing.
    #[error(
        "no custom section `weir.manifest`: build the module with the SDK, or add the section as described in ABI.md"
    )]
    NoManifest,
    /// The manifest is invalid.
    #[error("manifest, line {line}: {reason}")]
    Manifest {
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The compiler refused a valid module.
    #[error("the module could not be compiled: {0}")]
    Compile(String),
    /// Compiling exceeded a limit of the tenant.
    #[error(
        "the module is too expensive to compile: {0}; build with `opt-level = \"s\"`, make its largest functions smaller, or raise `compile_cpu_s_max` in the limits file"
    )]
    CompileLimit(LimitExceeded),
    /// The process that compiled the module crashed, or ran out of memory.
    #[error("the compiler ended {how} on this module{}{}", Said(.said), Memory(.said))]
    CompilerEnded {
        /// How it ended: `by signal 6 (ABRT)`.
        how: String,
        /// The last line that it printed, escaped and cut; may be empty.
        said: String,
    },
    /// The process that compiled the module did not respond.
    #[error("the compiler did not respond within {waited_s} s and was ended")]
    CompilerSilent {
        /// How long the host waited.
        waited_s: u64,
    },
    /// Too many modules of the tenant are waiting to be compiled.
    #[error("{waiting} modules of this tenant are already waiting to be compiled: try again later")]
    CompilerBusy {
        /// The number of waiting modules.
        waiting: usize,
    },
    /// The process that compiles modules could not be started, or is not a compile worker.
    #[error("could not start a worker to compile the module: {0}")]
    Worker(String),
    /// An engine for the tenant's settings could not be created.
    #[error("{0}")]
    Engine(String),
    /// The tenant is quarantined.
    #[error("the tenant is quarantined because the host panicked in one of its calls: {reason}")]
    Quarantined {
        /// The message of the panic.
        reason: String,
    },
    /// The supervisor of this process, which has modules compiled, refused the module.
    #[error("{text}")]
    Served {
        /// The code of its refusal.
        code: &'static str,
        /// What is wrong, and what to do.
        text: String,
    },
    /// The tenant's limits are invalid.
    #[error(transparent)]
    Limits(#[from] crate::LimitsError),
}

impl Refusal {
    /// What a supervisor answered instead of code. A code that it cannot have is taken for `engine`.
    pub fn served(code: &str, text: impl Into<String>) -> Refusal {
        const CODES: [&str; 7] = [
            "compile",
            "compile_cpu",
            "compile_crash",
            "compile_timeout",
            "compile_busy",
            "compile_worker",
            "shape_limit",
        ];
        let code = CODES.into_iter().find(|known| *known == code).unwrap_or("engine");
        Refusal::Served { code, text: text.into() }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::TooLarge(cap) if cap.is_of_whole() => "module_too_large",
            Refusal::TooLarge(_) => "shape_limit",
            Refusal::InitialMemory(_) => "initial_memory",
            Refusal::InitialTable(_) => "initial_table",
            Refusal::NotWasm => "not_wasm",
            Refusal::Text => "wasm_text",
            Refusal::Component => "component",
            Refusal::Precompiled => "precompiled",
            Refusal::Invalid { .. } => "invalid_wasm",
            Refusal::UnknownImport { .. } => "unknown_import",
            Refusal::ToolchainImport { .. } => "toolchain_import",
            Refusal::Command => "command",
            Refusal::WasiImport { .. } => "wasi_import",
            Refusal::ImportType { .. } => "import_type",
            Refusal::ImportKind { .. } => "import_kind",
            Refusal::NoMemory => "no_memory",
            Refusal::MissingExport { .. } => "missing_export",
            Refusal::ExportType { .. } => "export_type",
            Refusal::NoManifest => "no_manifest",
            Refusal::Manifest { .. } => "manifest",
            Refusal::Compile(_) => "compile",
            Refusal::CompileLimit(_) => "compile_cpu",
            Refusal::CompilerEnded { .. } => "compile_crash",
            Refusal::CompilerSilent { .. } => "compile_timeout",
            Refusal::CompilerBusy { .. } => "compile_busy",
            Refusal::Worker(_) => "compile_worker",
            Refusal::Engine(_) => "engine",
            Refusal::Quarantined { .. } => "quarantined",
            Refusal::Served { code, .. } => code,
            Refusal::Limits(_) => "limits",
        }
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Refusal::Compile(_)
            | Refusal::Limits(_)
            | Refusal::Worker(_)
            | Refusal::Engine(_)
            | Refusal::Quarantined { .. } => Fault::Internal,
            Refusal::CompilerBusy { .. } | Refusal::CompilerSilent { .. } => Fault::External,
            Refusal::Served { code, .. } => match *code {
                "compile_cpu" | "compile_crash" => Fault::Tenant,
                "compile_busy" | "compile_timeout" => Fault::External,
                _ => Fault::Internal,
            },
            _ => Fault::Tenant,
        }
    }

    /// Whether the same module may be admitted later.
    pub fn retryable(&self) -> bool {
        match self {
            Refusal::CompilerBusy { .. } | Refusal::CompilerSilent { .. } | Refusal::Worker(_) => true,
            Refusal::Served { code, .. } => matches!(*code, "compile_busy" | "compile_timeout" | "compile_worker"),
            _ => false,
        }
    }
}

/// `: memory allocation of 8388608 bytes failed`, or nothing.
struct Said<'a>(&'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

/// The remedy if the compiler ran out of memory, or nothing.
struct Memory<'a>(&'a str);

impl fmt::Display for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.starts_with("memory allocation of ") {
            return Ok(());
        }
        f.write_str(
            "; build with `opt-level = \"s\"`, make the module's largest functions smaller, or raise `compile_memory_bytes_max` in the limits file",
        )
    }
}
