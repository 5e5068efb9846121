//! Names that appear in a module's bytes.

/// The version of the ABI in `guest-sdk/ABI.md` that this crate describes.
pub const ABI_VERSION: u32 = 1;

/// The only module from which a guest can import.
pub const IMPORT_MODULE: &str = "weir_v1";

/// The custom section with the manifest: one line per function, with a JSON object each.
pub const MANIFEST_SECTION: &str = "weir.manifest";

/// The export of a guest's linear memory.
pub const MEMORY: &str = "memory";

/// `weir_call_<function>: (rows: i32) -> i32`, called once per batch.
pub const CALL_PREFIX: &str = "weir_call_";

/// `weir_init_<function>: () -> i32`, called once per instance, if it is exported.
pub const INIT_PREFIX: &str = "weir_init_";

/// `()`, the initialisation of a language's runtime. The first of these exports that exists is called once per instance, before its
/// init function: the entry of a WASI reactor, or the constructors that linkers collect.
pub const INITIALIZERS: [&str; 2] = ["_initialize", "__wasm_call_ctors"];

/// The entry of a command: a module that runs once, and cannot be called again.
pub const COMMAND: &str = "_start";

/// The maximum length of the name of a function, field, parameter, metric or label, in bytes.
pub const NAME_LEN_MAX: usize = 64;

/// The number of rows that the SDK reads at a time. A multiple of 64, so that bitmaps of windows consist of whole words.
pub const WINDOW_ROWS: usize = 1024;
