//! What the fuzz targets run, and their twins among the tests.
//!
//! Each panics where something happens that must not.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use weir_abi::MANIFEST_SECTION;
use weir_batch::Batch;
use weir_plan::Plan;
use weir_sandbox::{Limits, ModuleManifest};

use crate::host_calls::HostProgram;
use crate::host_module::{host_batch, host_module};
use crate::sections::append_custom;
use crate::trial::{Sandbox, Trial, tight_limits};

/// Reads the bytes as the manifest of a module. One that is read holds together.
pub fn fuzz_manifest(bytes: &[u8]) {
    let module = append_custom(b"\0asm\x01\0\0\0", MANIFEST_SECTION, bytes);
    let Ok(manifest) = ModuleManifest::read(&module) else { return };
    assert!(!manifest.functions.is_empty());
    let names: HashSet<&str> = manifest.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names.len(), manifest.functions.len());
    for function in &manifest.functions {
        assert_eq!(manifest.function(&function.name), Some(function));
        for metric in &function.metrics {
            assert!(metric.buckets.is_sorted() && metric.buckets.iter().all(|bound| bound.is_finite()));
        }
    }
}

/// Checks the bytes as a module, up to the compiler. One that passes has a manifest.
pub fn fuzz_prescan(bytes: &[u8]) {
    let limits = Limits::default();
    match ModuleManifest::check(bytes, &limits) {
        Ok(manifest) => {
            assert!(bytes.len() <= limits.module.module_file_bytes_max);
            assert_eq!(ModuleManifest::read(bytes).ok().as_ref(), Some(&manifest));
        }
        Err(refusal) => assert!(!refusal.to_string().chars().any(char::is_control), "{refusal:?}"),
    }
}

/// Assembles the bytes as a sequence of host calls, and calls that as a module, over a batch with nulls. Gives what
/// became of it.
pub fn fuzz_host_functions(bytes: &[u8]) -> Trial {
    static SETUP: OnceLock<(Sandbox, Arc<Batch>)> = OnceLock::new();
    let (sandbox, batch) = SETUP.get_or_init(|| match (Sandbox::new(), host_batch()) {
        (Ok(sandbox), Ok(batch)) => (sandbox, batch),
        (sandbox, batch) => panic!("{:?}, {:?}", sandbox.err(), batch.err()),
    });
    let module = host_module(&HostProgram::of(bytes));
    let trial = sandbox.try_module(&module, &tight_limits(), Some(batch));
    assert!(trial.defects.is_empty(), "{:#?}", trial.defects);
    assert_eq!(trial.refused, None, "the module keeps the contract");
    trial
}

/// Reads the bytes as a query file. Its errors name a line that it has.
pub fn fuzz_query_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Err(problems) = Plan::parse(text, Path::new("no-such-folder")) else { return };
    assert!(!problems.is_empty());
    for problem in &problems {
        assert!(problem.line <= text.lines().count() + 1, "{problem:?}");
    }
}
