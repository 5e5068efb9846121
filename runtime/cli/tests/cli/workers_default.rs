//! Which runs use workers by themselves.

use std::fs;
use std::path::Path;

use crate::common::{ONE_PROCESS, run};
use crate::workers::{rows, seed, tenants};

/// Whether a run used workers: their accounts name the tenants, as in one process; only a worker may not leave its folders.
fn check(folder: &Path, arguments: &[&str], code: i32, says: &[&str]) {
    let told = run(folder, &[&["run"], arguments].concat());
    assert_eq!(told.code, Some(code), "{}", told.err);
    for part in says {
        assert!(told.err.contains(part), "{part}\n{}", told.err);
    }
}

#[test]
fn queries_of_several_tenants_run_in_workers() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(3)), ("beta", &seed(2))]);
    let both = ["acme/q.toml", "beta/q.toml"];
    let limits = ["--limits", "limits.toml"];
    let ends = ["query q of tenant acme: end of input", "query q of tenant beta: end of input"];
    check(folder.path(), &[&limits[..], &both].concat(), 0, &ends);
    assert_eq!((rows(folder.path(), "acme"), rows(folder.path(), "beta")), (3_000, 2_000));
    // Without bounds nothing keeps them apart.
    let unbounded = "error: queries of several tenants (`acme`, `beta`) run in a confined process each, which needs a limits file with `folders` for each tenant: pass `--limits FILE`, run each tenant's queries by themselves, or give up every wall with `--allow-weak=seccomp,landlock,landlock-scopes,mdwe`";
    check(folder.path(), &both, 2, &[unbounded]);
    fs::write(folder.path().join("wide.toml"), "[tenants.acme]\n[tenants.beta]\n").expect("a limits file");
    let wide = ["--limits", "wide.toml"];
    let refused = "acme/q.toml: tenant `acme` has no `folders` in the limits file, so that its worker would reach the files of others";
    check(folder.path(), &[&wide[..], &both].concat(), 2, &[refused]);
    for tenant in ["acme", "beta"] {
        fs::remove_file(folder.path().join(tenant).join("out/rows.csv")).expect("the output");
    }
    // Given up by name, they share a process.
    check(folder.path(), &[&[ONE_PROCESS], &both[..]].concat(), 0, &ends);
    assert_eq!((rows(folder.path(), "acme"), rows(folder.path(), "beta")), (3_000, 2_000));
}

#[test]
fn queries_of_one_tenant_share_this_process_whatever_their_number() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(3))]);
    let text = fs::read_to_string(folder.path().join("acme/q.toml")).expect("the query file");
    let second = text.replace("name = \"q\"", "name = \"r\"").replace("out/rows", "out/more");
    fs::write(folder.path().join("acme/r.toml"), second).expect("the query file");
    // No limits file, no folders: what a worker would refuse.
    check(
        folder.path(),
        &["acme/q.toml", "acme/r.toml"],
        0,
        &["query q of tenant acme: end of input", "query r of tenant acme: end of input"],
    );
    // A file that names no tenant that could be read makes no second one.
    fs::write(folder.path().join("acme/wrong.toml"), "name = \n").expect("a query file");
    fs::remove_file(folder.path().join("acme/out/rows.csv")).expect("the output");
    check(folder.path(), &["acme/q.toml", "acme/wrong.toml"], 1, &["acme/wrong.toml:1: not valid TOML"]);
}
