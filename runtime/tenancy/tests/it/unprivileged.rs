//! The same tests as another user: without capabilities, and with another user's rights in `/proc`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::program;

/// A user that nobody is: nothing belongs to it.
const USER: u32 = 54_321;

#[test]
fn lives_and_kills_are_the_same_without_privileges() {
    if !rustix::process::geteuid().is_root() {
        // All tests run without privileges then.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::copy(program(), path("worker")).unwrap();
    fs::copy(std::env::current_exe().unwrap(), path("tests")).unwrap();
    fs::create_dir(path("tmp")).unwrap();
    chown(path("tmp"), Some(USER), Some(USER)).unwrap();
    let mut tests = Command::new(path("tests"));
    tests.args(["kills::", "life::"]).uid(USER).gid(USER).current_dir(path("tmp"));
    tests.env("TMPDIR", path("tmp")).env("WEIR_SCRIPTED_WORKER", path("worker")).env_remove("UPDATE_EXPECT");
    tests.env("RUST_BACKTRACE", "0");
    let output = tests.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("test life::"), "{said}");
}
