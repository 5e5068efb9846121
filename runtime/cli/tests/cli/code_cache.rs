//! Compiled code between one run of the command and the next.

use std::fs;
use std::path::Path;

use serde_json::Value;
use weir_tests::guest_path;

use crate::common::{Said, said, weir};

fn inspect(cache: &Path) -> (Said, Value) {
    let module = guest_path("seed").expect("the seed guest");
    let module = module.to_str().expect("UTF-8");
    let mut command = weir(Path::new("."), &["--json", "inspect", module]);
    let told = said(command.env("WEIR_CODE_CACHE", cache).output().expect("the weir command"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    let module = serde_json::from_str(&told.out).expect("JSON");
    (told, module)
}

#[test]
fn code_is_compiled_once_apart_and_then_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("code");
    let (told, module) = inspect(&cache);
    assert_eq!((&module["from_cache"], &module["optimised"]), (&false.into(), &true.into()), "{module}");
    assert!(module["compile_cpu_ms"].as_f64().is_some_and(|cpu| cpu > 1.0), "{module}");
    assert!(module["compile_memory_bytes_peak"].as_u64().is_some_and(|peak| peak > 1 << 20), "{module}");
    assert_eq!(told.err, "");
    let (_, found) = inspect(&cache);
    assert_eq!((&found["from_cache"], &found["optimised"]), (&true.into(), &true.into()), "{found}");
    assert_eq!(found["native_bytes"], module["native_bytes"]);

    // Whoever changes it is found out.
    let tenant = cache.join("v1/tenants.d/local");
    let code = fs::read_dir(&tenant).expect("the tenant's folder").next().expect("a file").expect("a file").path();
    let mut bytes = fs::read(&code).expect("the code");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&code, bytes).expect("the code");
    let (told, module) = inspect(&cache);
    assert_eq!(module["from_cache"], false, "{module}");
    assert!(told.err.contains("not authentic") && told.err.contains("compiling it again"), "{}", told.err);
}

#[test]
fn a_cache_that_cannot_be_used_is_said_and_done_without() {
    let (told, module) = inspect(Path::new("/dev/null"));
    assert_eq!((&module["from_cache"], &module["optimised"]), (&false.into(), &true.into()), "{module}");
    assert!(
        told.err.contains(
            "modules are compiled on each run because the code cache is not available: the code cache in /dev/null"
        ),
        "{}",
        told.err
    );
    let (told, module) = inspect(Path::new("none"));
    assert_eq!((&module["from_cache"], told.err.as_str()), (&false.into(), ""));
}
