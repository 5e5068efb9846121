//! Names that appear in a module's bytes.

/// The version of the contract in `guest-sdk/ABI.md` that this crate states.
pub const ABI_VERSION: u32 = 1;

/// The only module from which a guest may import.
pub const IMPORT_MODULE: &str = "weir_v1";

/// The custom section that holds the manifest: one JSON object a line, one line a function.
pub const MANIFEST_SECTION: &str = "weir.manifest";

/// The export under which a guest's linear memory is found.
pub const MEMORY: &str = "memory";

/// `weir_call_<function>: (rows: i32) -> i32`, called once a batch.
pub const CALL_PREFIX: &str = "weir_call_";

/// `weir_init_<function>: () -> i32`, called once an instance, where it is exported.
pub const INIT_PREFIX: &str = "weir_init_";

/// `()`, what a module's language sets up before any function of it runs. The first of these that is exported is
/// called once an instance, before its init function: the entry of a WASI reactor, and what linkers make of constructors.
pub const INITIALIZERS: [&str; 2] = ["_initialize", "__wasm_call_ctors"];

/// The entry of a command: a module that runs once and ends, and cannot be called again.
pub const COMMAND: &str = "_start";

/// The longest name of a function, field, parameter, metric or label, in bytes.
pub const NAME_LEN_MAX: usize = 64;

/// How many rows the SDK asks for at a time. A multiple of 64, so that bitmaps of windows are whole words.
pub const WINDOW_ROWS: usize = 1024;
