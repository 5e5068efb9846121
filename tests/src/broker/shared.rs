//! The broker that the tests of a run share.
//!
//! A run is one `cargo xtask test`, which names a folder by `WEIR_TEST_RUN`; else it is this process. Whoever needs the broker first
//! starts it in that folder, and beside it a shell that waits for the lock of the folder's file `alive`. The run holds that lock, and the
//! kernel gives it up when the run is gone, however it ended: the shell then kills the broker and removes the folder.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use super::client;
use super::kafka::Kafka;
use super::own::START_AT_MOST;
use crate::process::{environment, tail};
use crate::wait_for;

/// The folder of a run that is longer than this process.
const VARIABLE: &str = "WEIR_TEST_RUN";

/// Starts the broker, says its id, and ends it with the run. What a terminal sends to all its processes does not concern it.
const GUARD: &str = r#"
trap '' INT HUP TERM
run=$1; shift
"$@" >"$run/log" 2>&1 </dev/null &
broker=$!
echo $broker >"$run/id.new"
mv "$run/id.new" "$run/id"
flock "$run/alive" true
kill -KILL $broker
wait $broker
rm -rf "$run"
"#;

/// The address of the run's broker, which is started where nobody has yet.
pub(super) fn address() -> Result<String, String> {
    static ADDRESS: LazyLock<Result<String, String>> = LazyLock::new(|| {
        static RUN: LazyLock<Run> = LazyLock::new(Run::of_environment_or_process);
        RUN.find_or_start()
    });
    ADDRESS.clone()
}

struct Run {
    folder: PathBuf,
    // Held until the process ends, where the run is the process.
    _alive: Option<File>,
}

impl Run {
    fn of_environment_or_process() -> Run {
        if let Some(folder) = environment(VARIABLE) {
            return Run { folder: folder.into(), _alive: None };
        }
        let folder = tempfile::Builder::new().prefix("weir-tests-").tempdir().expect("a folder for a broker").keep();
        let alive = File::create(folder.join("alive")).expect("a file in a new folder");
        alive.lock().expect("the lock of a new file");
        Run { folder, _alive: Some(alive) }
    }

    fn find_or_start(&self) -> Result<String, String> {
        let said = |error: std::io::Error| format!("{}: {error}", self.folder.display());
        // One of those that come at once starts it, and the others wait.
        let lock = File::create(self.folder.join("start")).map_err(said)?;
        lock.lock().map_err(said)?;
        let known = self.folder.join("address");
        if let Ok(address) = fs::read_to_string(&known) {
            return Ok(address);
        }
        let mut failures = Vec::new();
        // Another may take a port between the look and the start.
        for attempt in 0..3 {
            let folder = self.folder.join(format!("broker-{attempt}"));
            let kafka = fs::create_dir(&folder).map_err(said).and_then(|()| Kafka::prepare(&folder, None));
            // Nobody waits for the lock yet who would remove it.
            let kafka = kafka.inspect_err(|_| {
                if attempt == 0 && self._alive.is_some() {
                    drop(fs::remove_dir_all(&self.folder));
                }
            })?;
            match self.start(&kafka) {
                Ok(()) => {
                    fs::write(&known, kafka.address()).map_err(said)?;
                    return Ok(kafka.address());
                }
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures.join("\n"))
    }

    fn start(&self, kafka: &Kafka) -> Result<(), String> {
        let id = self.folder.join("id");
        drop(fs::remove_file(&id));
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "weir-tests-broker"]).arg(&self.folder).arg(&kafka.program).args(&kafka.args);
        guard.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        // It outlives this process, and is nobody's to wait for.
        drop(guard.spawn().map_err(|error| format!("cannot start sh: {error}"))?);
        let id = wait_for("the broker's process", Duration::from_secs(10), || {
            fs::read_to_string(&id).ok()?.trim().parse::<u32>().ok()
        });
        let answered = wait_for(&format!("Apache Kafka answers at {}", kafka.address()), START_AT_MOST, || {
            // In this order: an answer counts where the process was there after it, since it may be another's who has the port.
            let answers = client::answers(&kafka.address());
            if has_ended(id) { Some(false) } else { answers.then_some(true) }
        });
        match answered {
            true => Ok(()),
            false => {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                Err(format!("Apache Kafka ended at its start at {}:\n{}", kafka.address(), tail(&log)))
            }
        }
    }
}

/// Whether a process is gone, or waits only to be reaped.
fn has_ended(id: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z'))
}
