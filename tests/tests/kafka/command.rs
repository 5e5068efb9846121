//! The `weir` command as a process that a test may kill.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use weir_tests::{Weir, WeirProcess, wait_until};

use crate::support::SOON;

/// More batches than any test waits for.
const ENDLESS: &str = "\
name = \"endless\"
[sources.seed]
kind = \"generator\"
batches = 1000000000
[[stages]]
name = \"pass\"
module = MODULE
function = \"pass\"
input = \"seed\"
[sinks.out]
kind = \"count\"
input = \"pass\"
";

fn endless(folder: &std::path::Path) -> WeirProcess {
    let module = weir_tests::guest_path("seed").expect("a built guest");
    std::fs::write(folder.join("q.toml"), ENDLESS.replace("MODULE", &format!("{module:?}"))).expect("a query file");
    let mut weir = Weir::in_folder(folder).run(&["run", "q.toml"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(weir.is_running(), "{}", weir.stderr());
    weir
}

#[test]
fn what_the_command_says_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut weir = Weir::in_folder(folder.path()).run(&["--version"]);
    assert!(weir.wait(SOON).success());
    assert!(weir.stdout().starts_with("weir "), "{}", weir.stdout());
    let mut weir = Weir::in_folder(folder.path()).run(&["run", "absent.toml"]);
    assert!(!weir.wait(SOON).success());
    assert!(weir.stderr().contains("absent.toml"), "{}", weir.stderr());
}

#[test]
fn a_command_is_killed_stopped_and_asked_to_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut weir = endless(folder.path());
    assert_eq!(weir.kill_9().signal(), Some(9));
    assert!(!weir.is_running());

    let mut weir = endless(folder.path());
    let state = |id| std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    weir.pause();
    wait_until("weir is stopped", SOON, || state(weir.id()).contains(") T "));
    weir.resume();
    wait_until("weir goes on", SOON, || !state(weir.id()).contains(") T "));
    weir.term();
    weir.wait(SOON);
}

#[test]
#[should_panic(expected = "weir is still running after 10ms")]
fn a_command_that_does_not_end_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    endless(folder.path()).wait(Duration::from_millis(10));
}
