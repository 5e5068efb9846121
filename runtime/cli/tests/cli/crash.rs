//! Row 71 of the catalogue of attacks: the process ends at once, wherever it is, and is started again.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use weir_tests::guest_path;

use crate::common::{run, weir};

/// Records of the query: it takes some tenths of a second.
const BATCHES: usize = 300;

#[test]
fn a_process_that_is_killed_leaves_nothing_torn_and_starts_again() {
    let module = guest_path("seed").expect("the seed guest");
    let mut killed = 0;
    for wait_ms in [30, 80, 150, 250, 400, 600] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "name = \"crash\"\n[sources.seed]\nkind = \"generator\"\nbatches = {BATCHES}\n[[stages]]\nname = \"pass\"\n\
             module = {module:?}\nfunction = \"pass\"\n[sinks.out]\nkind = \"file\"\npath = \"out.jsonl\"\n\
             if_exists = \"replace\"\n"
        );
        fs::write(folder.path().join("q.toml"), text).expect("the query file");
        let mut command = weir(folder.path(), &["--json", "run", "q.toml"]);
        let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("the command");
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().expect("a kill");
        let status = child.wait().expect("an end");
        killed += usize::from(status.signal() == Some(libc::SIGKILL));
        // Under its name a file is there as a whole, or not at all.
        let out = folder.path().join("out.jsonl");
        let lines = || fs::read_to_string(&out).ok().map(|text| text.lines().count());
        assert!(matches!(lines(), None | Some(300_000)), "{:?} lines after {wait_ms} ms", lines());
        let again = run(folder.path(), &["--json", "run", "q.toml"]);
        assert_eq!(again.code, Some(0), "{}", again.err);
        assert_eq!(lines(), Some(BATCHES * 1_000), "each record once, whatever was there before");
    }
    assert!(killed > 0, "no run was killed before its end");
}
