//! Which queries share a worker, as the limits file has it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use expect_test::expect;

use crate::common::{run, weir};
use crate::lifecycle::send;
use crate::workers::{check, children, rows, seed, tenants, until};

/// Adds keys to a tenant's table.
fn give(folder: &Path, tenant: &str, keys: &str) {
    let limits = fs::read_to_string(folder.join("limits.toml")).expect("the limits file");
    let table = format!("[tenants.{tenant}]\n");
    fs::write(folder.join("limits.toml"), limits.replace(&table, &format!("{table}{keys}"))).expect("the limits file");
}

/// A second query of a tenant.
fn second(folder: &Path, tenant: &str) {
    let text = fs::read_to_string(folder.join(tenant).join("q.toml")).expect("the query file");
    let text = text.replace("name = \"q\"", "name = \"r\"").replace("out/rows", "out/more");
    fs::write(folder.join(tenant).join("r.toml"), text).expect("the query file");
}

#[test]
fn a_group_shares_a_worker_and_an_isolated_tenant_has_one_for_each_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let endless = seed(1_000_000_000)
        .replace("[sinks.out]", "[delivery]\ncommit_ms = 50\n[sinks.out]")
        .replace("out/rows.csv\"", "out/rows.csv\"\nrotate_bytes_max = 1");
    tenants(folder.path(), &[("acme", &endless), ("beta", &endless), ("gamma", &endless), ("delta", &endless)]);
    give(folder.path(), "acme", "worker_group = \"small\"\n");
    give(folder.path(), "beta", "worker_group = \"small\"\n");
    give(folder.path(), "gamma", "tier = \"isolated\"\n");
    ["gamma", "delta"].iter().for_each(|tenant| second(folder.path(), tenant));
    let files = ["acme/q.toml", "beta/q.toml", "gamma/q.toml", "gamma/r.toml", "delta/q.toml", "delta/r.toml"];
    let mut command = weir(folder.path(), &[&["run", "--limits", "limits.toml"], &files[..]].concat());
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    for file in files {
        let (tenant, file) = file.split_once('/').expect("a tenant's file");
        let out = if file == "q.toml" { "rows" } else { "more" };
        until("a query's first commit", || folder.path().join(tenant).join(format!("out/{out}-000001.csv")).exists());
    }
    assert_eq!(children(child.id()).len(), 4, "one for the group, two for gamma, one for delta");
    send(&child, libc::SIGTERM);
    let mut told = String::new();
    child.stderr.take().expect("standard error").read_to_string(&mut told).expect("standard error");
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{told}");
    for end in
        ["query q of tenant acme: stopped", "query q of tenant beta: stopped", "query r of tenant gamma: stopped"]
    {
        assert!(told.contains(end), "{end}\n{told}");
    }
}

#[test]
fn tenants_of_a_group_keep_to_their_own_folders_limits_and_modules() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = weir_tests::guest_path("faulty").expect("the faulty guest");
    let text = "[sources.seed]\nkind = \"generator\"\nbatches = 20\n\
                [[stages]]\nname = \"stage\"\nmodule = \"faulty.wasm\"\nfunction = \"panics\"\n\
                [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    tenants(folder.path(), &[("acme", text), ("beta", text), ("evil", &text.replace("out/rows", "../acme/out/evil"))]);
    for tenant in ["acme", "beta", "evil"] {
        give(folder.path(), tenant, "worker_group = \"all\"\n");
        fs::copy(&module, folder.path().join(tenant).join("faulty.wasm")).expect("the module");
    }
    // Its limits are its own, whoever shares its worker.
    give(folder.path(), "beta", "module_bytes_max = 100\n");
    let arguments = ["run", "--limits", "limits.toml", "acme/q.toml", "beta/q.toml", "evil/q.toml"];
    let told = run(folder.path(), &arguments);
    assert_eq!(told.code, Some(1), "{}", told.err);
    for part in [
        "`../acme/out/evil.csv` is outside of the folders of tenant `evil`",
        "error: beta/q.toml:8: stages.stage.module: ",
        "query q of tenant acme: end of input",
    ] {
        assert!(told.err.contains(part), "{part}\n{}", told.err);
    }
    assert_eq!(rows(folder.path(), "acme"), 20_000);
}

#[test]
fn mistakes_in_the_placement_of_tenants_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1)), ("beta", &seed(1)), ("gamma", &seed(1))]);
    give(folder.path(), "acme", "tier = \"isolated\"\nworker_group = \"small\"\n");
    give(folder.path(), "beta", "worker_group = \"a/b\"\n");
    give(folder.path(), "gamma", "tier = \"gold\"\n");
    check(
        folder.path(),
        &["acme/q.toml"],
        2,
        expect![[r#"
        error: limits.toml:3: tenants.acme.worker_group: a tenant of the tier `isolated` shares no worker with others; remove `worker_group`, or set `tier = "standard"`
        limits.toml:7: tenants.beta.worker_group: is not the name of a group; use 1 to 63 characters of a-z, 0-9, `-` and `_`
        limits.toml:11: tenants.gamma.tier: unknown value `gold`; use one of `standard`, `isolated`"#]],
    );
}
