//! Recognises toolchains by the imports of their modules, and knows the remedies.

/// What needs an import that does not exist, and how to build without it.
#[derive(Clone, Copy)]
pub(crate) struct Toolchain {
    pub(crate) asks: &'static str,
    pub(crate) mend: &'static str,
}

const ASSEMBLY_SCRIPT: Toolchain = Toolchain {
    asks: "AssemblyScript's runtime",
    mend: "compile with `asc --use abort=` (likewise `--use trace=`, `--use seed=` and the like), or with `--use abort=` \
           and the name of a function of your own that ends in `unreachable()`",
};
const WASM_BINDGEN: Toolchain = Toolchain {
    asks: "wasm-bindgen, which is for JavaScript hosts",
    mend: "find the dependency with `cargo tree -i wasm-bindgen`, turn off its feature (`js`, `wasm_js`, `wasmbind`, `wasm-bindgen`), and build without `wasm-pack`: `cargo build --target wasm32-unknown-unknown`",
};
const EMSCRIPTEN: Toolchain = Toolchain {
    asks: "Emscripten's JavaScript",
    mend: "compile with clang: `--target=wasm32-wasip1 -mexec-model=reactor`, or `--target=wasm32 -nostdlib -Wl,--no-entry`",
};
const GO_JS: Toolchain = Toolchain {
    asks: "Go's runtime for JavaScript hosts",
    mend: "build with GOOS=wasip1 and `-buildmode=c-shared` instead of GOOS=js",
};
const DYNAMIC: Toolchain = Toolchain {
    asks: "a dynamic linker, which is not supported",
    mend: "link statically: without `-shared`, `-fPIC` and `-sSIDE_MODULE`",
};
/// The toolchain that creates imports from this module; `None` if it is unknown.
pub(crate) fn of(module: &str, name: &str) -> Option<Toolchain> {
    const ASSEMBLY_SCRIPT_ENV: [&str; 4] = ["abort", "trace", "seed", "mark"];
    const ASSEMBLY_SCRIPT_DOM: [&str; 9] =
        ["console.", "Date.", "Math.", "performance.", "process.", "crypto.", "Reflect.", "globalThis.", "String."];
    const EMSCRIPTEN_ENV: [&str; 8] =
        ["emscripten_", "_emscripten_", "invoke_", "__syscall", "__cxa_", "_embind_", "_emval_", "__asyncify"];
    match module {
        "wbg" => Some(WASM_BINDGEN),
        // `__wbindgen_placeholder__`, and `./NAME_bg.js` in the output of wasm-pack.
        _ if module.starts_with("__wbindgen") || module.ends_with("_bg.js") => Some(WASM_BINDGEN),
        _ if name.starts_with("__wbindgen") || name.starts_with("__wbg_") => Some(WASM_BINDGEN),
        "env" if ASSEMBLY_SCRIPT_ENV.contains(&name) => Some(ASSEMBLY_SCRIPT),
        "env" if ASSEMBLY_SCRIPT_DOM.iter().any(|start| name.starts_with(start)) => Some(ASSEMBLY_SCRIPT),
        "env" if EMSCRIPTEN_ENV.iter().any(|start| name.starts_with(start)) => Some(EMSCRIPTEN),
        "asm2wasm" | "a" => Some(EMSCRIPTEN),
        "gojs" | "go" => Some(GO_JS),
        "GOT.mem" | "GOT.func" => Some(DYNAMIC),
        "env" if matches!(name, "__memory_base" | "__table_base" | "__stack_pointer" | "__indirect_function_table") => {
            Some(DYNAMIC)
        }
        _ => None,
    }
}
