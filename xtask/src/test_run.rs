//! State of one run of the tests: the folder through which test binaries share one broker.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The variable that names the folder to the tests (`tests/src/broker/shared.rs`).
pub(crate) const VARIABLE: &str = "WEIR_TEST_RUN";

/// A folder with a locked file `alive`. The first test that needs a broker starts it there, together with a process that waits for
/// the lock: when this process has ended, however it ended, the other one stops the broker and removes the folder.
#[derive(Debug)]
pub(crate) struct TestRun {
    pub(crate) folder: PathBuf,
    alive: Option<File>,
}

impl TestRun {
    pub(crate) fn begin() -> Result<TestRun> {
        let folder = std::env::temp_dir().join(format!("weir-tests-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        let alive = File::create(folder.join("alive"))?;
        alive.lock()?;
        Ok(TestRun { folder, alive: Some(alive) })
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        let started = self.folder.join("address").exists();
        drop(self.alive.take());
        if !started && let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("could not remove {}: {error}", self.folder.display());
        }
    }
}
