//! `weir new`: what it makes builds, passes its own test, and runs.

use std::path::Path;
use std::process::Command;

use crate::common::{Said, root, run, said};

fn cargo(folder: &Path, args: &[&str], rustc: Option<&str>) -> Said {
    let mut command = Command::new(env!("CARGO"));
    command.args(args).current_dir(folder);
    // One target folder for every run of this test: the SDK's dependencies are compiled once.
    command.env("CARGO_TARGET_DIR", root().join("target/new-crate"));
    for inherited in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "RUSTC"] {
        command.env_remove(inherited);
    }
    if let Some(rustc) = rustc {
        command.env("RUSTC", rustc);
    }
    said(command.output().expect("cargo"))
}

#[test]
fn a_new_crate_passes_its_test_builds_and_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = run(folder.path(), &["new", "my-orders"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let new = folder.path().join("my-orders");

    // The dependencies are those of this workspace, which its own build has fetched already.
    std::fs::copy(root().join("Cargo.lock"), new.join("Cargo.lock")).expect("a lock file");
    let tested = cargo(&new, &["test", "--offline"], None);
    assert_eq!(tested.code, Some(0), "{}", tested.err);
    assert!(tested.out.contains("test tests::only_large_orders_pass ... ok"), "{}", tested.out);

    let rustc = weir_tests::guest_rustc().expect("a compiler of guests");
    let built = cargo(
        &new,
        &["build", "--offline", "--release", "--target", "wasm32-unknown-unknown"],
        Some(rustc.to_str().expect("UTF-8")),
    );
    assert_eq!(built.code, Some(0), "{}", built.err);
    let module = root().join("target/new-crate/wasm32-unknown-unknown/release/my_orders.wasm");
    let tried = run(&new, &["try", module.to_str().expect("UTF-8"), "-i", "sample.jsonl"]);
    assert_eq!(tried.code, Some(0), "{}", tried.err);
    assert!(tried.out.contains("ADA       25050\n"), "{}", tried.out);

    // The query file of the new crate names the module where cargo puts it by itself.
    let own = new.join("target/wasm32-unknown-unknown/release");
    std::fs::create_dir_all(&own).expect("a folder");
    std::fs::copy(&module, own.join("my_orders.wasm")).expect("the module");
    let ran = run(&new, &["run", "query.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("CLEO"), "{}", ran.out);
}

#[test]
fn a_folder_that_exists_and_a_name_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("taken")).expect("a folder");
    for name in ["taken", "Upper", "9lives", "a b", "", "weir-guest"] {
        let said = run(folder.path(), &["new", name]);
        assert_eq!(said.code, Some(2), "{name:?}: {}", said.err);
        assert!(said.err.starts_with("error: "), "{name:?}: {}", said.err);
    }
}
