//! Compiled code on disk: found again, by the same tenant only, and never where somebody touched it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_sandbox::{
    CacheConfig, Carry, CodeOrigin, Engine, EngineConfig, EngineError, Instance, Limits, Module, TenantId,
};

use crate::support::{block_on, numbers, wasm};

const MANIFEST: &str =
    r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;

fn open(folder: &Path, bytes_max: u64) -> Result<Engine, EngineError> {
    let cache = Some(CacheConfig::new(folder, bytes_max));
    Engine::new(&EngineConfig::default().with(|it| {
        it.cache = cache;
        it.instances_max = 4;
    }))
}

/// Hits, misses and rejected files so far.
fn uses(engine: &Engine) -> [u64; 3] {
    let used = engine.cache_use();
    [used.hits, used.misses, used.rejected]
}

fn engine(folder: &Path) -> Engine {
    open(folder, 1 << 30).unwrap()
}

/// A filter that keeps the rows of these bits.
fn module(bits: u8) -> Vec<u8> {
    let body = format!(
        r#"(memory (export "memory") 1) (data (i32.const 0) "\{bits:02x}")
           (func (export "weir_call_f") (param $rows i32) (result i32)
             (call $emit_filter (i32.const 0) (local.get $rows)))"#
    );
    wasm(MANIFEST, &body)
}

fn admit(engine: &Engine, tenant: &str, bits: u8) -> Arc<Module> {
    let tenant: TenantId = tenant.parse().unwrap();
    let module = engine.admit(&tenant, &module(bits), &Limits::default()).unwrap();
    // Whatever the code came from, it is the module's.
    let rows = numbers([1, 2, 3]);
    let bound = module.manifest().functions[0].bind(rows.schema(), &Carry::None, &[].into()).unwrap();
    let mut instance = Instance::new(&module, &Arc::new(bound), &Limits::default());
    let kept = block_on(instance.call(&rows)).unwrap().output.rows();
    assert_eq!(kept, bits.count_ones() as usize);
    module
}

/// The files of the cache, without its key.
fn files(folder: &Path) -> Vec<PathBuf> {
    let tenants = fs::read_dir(folder.join("v1/tenants.d")).unwrap().map(|entry| entry.unwrap().path());
    let tenants = tenants.filter(|path| path.is_dir());
    let mut files: Vec<_> =
        tenants.flat_map(|tenant| fs::read_dir(tenant).unwrap().map(|entry| entry.unwrap().path())).collect();
    files.sort();
    files
}

#[test]
fn code_is_found_again_by_its_tenant_only() {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(folder.path());
    assert_eq!(admit(&first, "acme", 1).origin(), CodeOrigin::Compiler);
    assert_eq!(admit(&first, "acme", 1).origin(), CodeOrigin::Cache);
    assert_eq!(admit(&first, "acme", 3).origin(), CodeOrigin::Compiler);
    assert_eq!(admit(&first, "beta", 1).origin(), CodeOrigin::Compiler);
    // Another process: the key is the folder's.
    let second = engine(folder.path());
    assert_eq!(admit(&second, "acme", 1).origin(), CodeOrigin::Cache);
    assert_eq!(uses(&second), [1, 0, 0]);
    // Another form of code is another entry.
    let hardened = Limits::default().with(|it| it.hardened = true);
    let module = second.admit(&"acme".parse().unwrap(), &module(1), &hardened).unwrap();
    assert_eq!(module.origin(), CodeOrigin::Compiler);
    assert_eq!(files(folder.path()).len(), 4);
}

#[test]
fn a_file_that_somebody_touched_is_compiled_again_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    admit(&engine(folder.path()), "acme", 1);
    admit(&engine(folder.path()), "beta", 3);
    let files = files(folder.path());
    let (acme, beta) = (&files[0], &files[1]);
    let good = fs::read(acme).unwrap();
    let touched = |bytes: &[u8]| {
        fs::write(acme, bytes).unwrap();
        let engine = engine(folder.path());
        assert_eq!(admit(&engine, "acme", 1).origin(), CodeOrigin::Compiler);
        assert_eq!(uses(&engine), [0, 1, 1]);
        assert_eq!(fs::read(acme).unwrap().len(), good.len(), "it is whole again");
    };
    // Any byte: magic, tier, code, authentication.
    for at in [0, 8, 9, 40, 41, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        touched(&bytes);
    }
    for length in [0, 8, 40, 41, good.len() - 1] {
        touched(&good[..length]);
    }
    touched(&[good.as_slice(), b"more"].concat());
    // Authentic code of another tenant, of another module, and in the place of this one.
    touched(&fs::read(beta).unwrap());
    // A link to it, and a pipe that nobody writes to.
    fs::remove_file(acme).unwrap();
    std::os::unix::fs::symlink(beta, acme).unwrap();
    let linked = engine(folder.path());
    assert_eq!(admit(&linked, "acme", 1).origin(), CodeOrigin::Compiler);
    assert_eq!(linked.cache_use().rejected, 1);
    // Another key: whoever replaced it cannot have made the code.
    fs::write(folder.path().join("v1/key"), [7; 32]).unwrap();
    let rekeyed = engine(folder.path());
    assert_eq!(admit(&rekeyed, "acme", 1).origin(), CodeOrigin::Compiler);
    assert_eq!(rekeyed.cache_use().rejected, 1);
}

#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    drop(engine(folder.path()));
    for path in ["v1", "v1/key"] {
        let path = folder.path().join(path);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        let error = open(folder.path(), 1 << 30).map(drop).unwrap_err();
        assert!(error.to_string().ends_with("because others can write to it: run `chmod 700` on it"), "{error}");
        fs::set_permissions(&path, before).unwrap();
    }
    fs::write(folder.path().join("v1/key"), b"short").unwrap();
    assert!(matches!(open(folder.path(), 1 << 30), Err(EngineError::Cache(_))));
    assert!(matches!(open(Path::new("/dev/null"), 1 << 30), Err(EngineError::Cache(_))));
}

#[test]
fn a_tenant_that_is_called_as_a_file_of_the_cache_keeps_its_code() {
    let folder = tempfile::tempdir().unwrap();
    for tenant in ["key", "v1", "new", "tenants", "0"] {
        assert_eq!(admit(&engine(folder.path()), tenant, 1).origin(), CodeOrigin::Compiler);
        let again = engine(folder.path());
        assert_eq!(admit(&again, tenant, 1).origin(), CodeOrigin::Cache, "{tenant}");
        assert_eq!(uses(&again), [1, 0, 0]);
    }
}

#[test]
fn a_tenants_folder_that_is_a_link_is_not_followed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(engine(folder.path()));
    std::os::unix::fs::symlink(other.path(), folder.path().join("v1/tenants.d/acme")).unwrap();
    let linked = engine(folder.path());
    assert_eq!(admit(&linked, "acme", 1).origin(), CodeOrigin::Compiler);
    assert_eq!(linked.cache_use().rejected, 1);
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
}

#[test]
fn what_was_not_used_for_long_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    admit(&engine(folder.path()), "acme", 1);
    let one = fs::metadata(&files(folder.path())[0]).unwrap().len();
    let small = open(folder.path(), one * 2 + one / 2).unwrap();
    for bits in [3, 5, 6, 7] {
        admit(&small, "acme", bits);
        assert!(files(folder.path()).len() <= 2);
    }
    assert_eq!(admit(&small, "acme", 7).origin(), CodeOrigin::Cache);
    assert_eq!(admit(&small, "acme", 1).origin(), CodeOrigin::Compiler);
}
