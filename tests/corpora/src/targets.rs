//! What the fuzz targets run, and their twins among the tests.
//!
//! Each panics where something happens that must not.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use weir_abi::MANIFEST_SECTION;
use weir_batch::Batch;
use weir_query::{LetterLines, Manifest as KeptState, Plan};
use weir_sandbox::{Limits, Manifest};

use crate::host_calls::HostProgram;
use crate::host_module::{host_batch, host_module};
use crate::sections::append_custom;
use crate::trial::{Sandbox, Trial, tight_limits};

/// Reads the bytes as the manifest of a module. One that is read holds together.
pub fn fuzz_manifest(bytes: &[u8]) {
    let module = append_custom(b"\0asm\x01\0\0\0", MANIFEST_SECTION, bytes);
    let Ok(manifest) = Manifest::read(&module) else { return };
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
    match Manifest::check(bytes, &limits) {
        Ok(manifest) => {
            assert!(bytes.len() <= limits.module.module_file_bytes_max);
            assert_eq!(Manifest::read(bytes).ok().as_ref(), Some(&manifest));
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

/// Reads the bytes as a query file. What is wrong with it is said of a line that it has.
pub fn fuzz_query_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Err(problems) = Plan::parse(text, Path::new("no-such-folder")) else { return };
    assert!(!problems.is_empty());
    for problem in &problems {
        assert!(problem.line <= text.lines().count() + 1, "{problem:?}");
    }
}

/// Reads the bytes as a file of dead letters. Lines are numbered, no byte is left out, and a letter written again is the same letter.
pub fn fuzz_letters(bytes: &[u8]) {
    let mut read = 0;
    for (number, entry) in LetterLines::new(bytes).enumerate() {
        let entry = entry.expect("memory can be read");
        assert_eq!(entry.number, number as u64);
        read += entry.bytes;
        match entry.letter {
            Ok(letter) => {
                let mut line = Vec::new();
                letter.write_line(&mut line).expect("what was read can be written");
                let again = LetterLines::new(line.as_slice()).next().expect("a line").expect("memory can be read");
                assert_eq!(again.letter.as_ref(), Ok(&letter));
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
    assert_eq!(read, bytes.len() as u64);
}

/// Reads the bytes as the state that a query keeps, with a correct checksum, as anyone who can write into the folder can make
/// it. What is read can be written, and is read again as the same.
pub fn fuzz_kept_state(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_checksum(bytes)] {
        let Ok(state) = KeptState::from_bytes(&bytes) else { continue };
        for source in &state.sources {
            assert!(state.positions(&source.source).iter().count() <= source.partitions.len());
        }
        let written = state.to_bytes().expect("what was read can be written");
        let again = KeptState::from_bytes(&written).expect("what was written can be read");
        assert_eq!(KeptState { written_by: state.written_by.clone(), ..again }, state);
    }
}

fn with_checksum(body: &[u8]) -> Vec<u8> {
    let checksum: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    [format!("weir-manifest 2 {checksum}\n").as_bytes(), body, b"\n"].concat()
}
