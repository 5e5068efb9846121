//! The `weir` command as a process of its own, which a test may kill.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use tempfile::TempDir;

use crate::process::{Launch, Process, tail};

/// How the command is started: where, and with what environment.
#[derive(Debug)]
pub struct Weir {
    launch: Launch,
    // What stands before its own arguments, where another program starts it.
    prefix: Vec<std::ffi::OsString>,
}

impl Weir {
    /// The command, to be started in this folder.
    ///
    /// # Panics
    ///
    /// If it is not built.
    #[track_caller]
    pub fn in_folder(folder: &Path) -> Weir {
        let program = weir_binary().unwrap_or_else(|missing| panic!("{missing}"));
        let launch = Launch { program, folder: folder.to_owned(), unset: vec!["WEIR_LOG".into()], ..Launch::default() };
        // Not in the home of whoever runs the tests.
        Weir { launch, prefix: Vec::new() }
            .env("WEIR_CODE_CACHE", folder.join("code-cache"))
            .env("WEIR_RUNTIME_DIR", folder.join("run"))
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Weir {
        self.launch.set.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// With a disk of this many KiB mounted at this folder, which the command alone sees; a test looks into it through
    /// [`WeirProcess::path`]. Needs util-linux, and a kernel that lets users have namespaces.
    #[must_use]
    pub fn with_disk(mut self, at: &Path, kib: u64) -> Weir {
        let mount = r#"mount -t tmpfs -o "size=$2k" tmpfs "$1" && shift 2 && exec "$@""#;
        let mut prefix: Vec<std::ffi::OsString> =
            ["--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"].map(Into::into).into();
        prefix.extend([at.into(), kib.to_string().into(), std::mem::take(&mut self.launch.program).into()]);
        self.launch.program = "unshare".into();
        self.prefix = prefix;
        self
    }

    /// With no more than this many MiB of memory of its own, stacks of threads included. Needs util-linux.
    #[must_use]
    pub fn with_memory(mut self, mib: u64) -> Weir {
        let program = std::mem::replace(&mut self.launch.program, "prlimit".into());
        self.prefix = [format!("--data={}", mib << 20).into(), program.into()].into();
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(mut self, args: &[S]) -> WeirProcess {
        let args = args.iter().map(|argument| argument.as_ref().to_owned());
        self.launch.args = self.prefix.drain(..).chain(args).collect();
        let logs = tempfile::tempdir().expect("a folder for what weir says");
        let process = Process::start(&self.launch, logs.path())
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.launch.program.display()));
        WeirProcess { process, _logs: logs }
    }
}

/// A started `weir`. Dropped, it is killed.
#[derive(Debug)]
pub struct WeirProcess {
    process: Process,
    _logs: TempDir,
}

impl WeirProcess {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where a path that the process sees is found from here, also on a disk of its own.
    pub fn path(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix("/").unwrap_or(path);
        PathBuf::from(format!("/proc/{}/root", self.id())).join(inside)
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.status().is_none()
    }

    /// Kills it as a crash would, and returns when it is gone.
    pub fn kill_9(&mut self) -> ExitStatus {
        self.process.kill()
    }

    /// Asks it to end.
    pub fn term(&mut self) {
        self.process.signal(Signal::TERM);
    }

    /// Lets it have no more than this number of open files; those that it has stay open. Returns how many it could have before.
    ///
    /// # Panics
    ///
    /// If it is gone.
    pub fn limit_files(&self, most: u64) -> u64 {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let hard = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: Some(most), maximum: hard };
        let before = prlimit(pid, Resource::Nofile, limit).expect("a process");
        before.current.unwrap_or(u64::MAX)
    }

    /// Stops all its threads where they are, until [`WeirProcess::resume`].
    pub fn pause(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it is still running after this time: the message shows the last of what it said.
    #[track_caller]
    pub fn wait(&mut self, at_most: Duration) -> ExitStatus {
        self.process.wait(at_most).unwrap_or_else(|| {
            let (out, err) = (tail(&self.stdout()), tail(&self.stderr()));
            panic!("weir is still running after {at_most:?}\nstandard output:\n{out}\nstandard error:\n{err}")
        })
    }

    /// What it has written to its standard output so far.
    pub fn stdout(&self) -> String {
        self.process.out()
    }

    /// What it has written to its standard error so far.
    pub fn stderr(&self) -> String {
        self.process.err()
    }
}

/// The `weir` of the profile that this test is of. Cargo names a binary to the tests of its own crate only.
fn weir_binary() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| format!("cannot find this test's own file: {error}"))?;
    // `target/PROFILE/deps/this_test-…`
    let profile = test.parent().and_then(Path::parent).ok_or("this test's file is in no target folder")?;
    let program = profile.join("weir");
    if !program.is_file() {
        return Err(format!("{} is missing: `cargo build --bin weir` builds it", program.display()));
    }
    Ok(program)
}
