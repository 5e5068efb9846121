//! A process that a test started: it can be signalled, what it writes is kept, and it does not outlive the test.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What to start, and with what.
#[derive(Debug, Default)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) folder: PathBuf,
    pub(crate) set: Vec<(OsString, OsString)>,
    pub(crate) unset: Vec<OsString>,
}

/// A running or ended process. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    ended: Option<ExitStatus>,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts it. What it writes goes to `out` and `err` in the folder `logs`, after what is there.
    pub(crate) fn start(launch: &Launch, logs: &Path) -> std::io::Result<Process> {
        let (out, err) = (logs.join("out"), logs.join("err"));
        let append = |path: &Path| File::options().create(true).append(true).open(path);
        // It asks the kernel to be killed when its parent is gone, also when that was killed, and becomes the program: the id is the same.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&launch.program)
            .args(&launch.args)
            .current_dir(&launch.folder)
            .stdin(Stdio::null())
            .stdout(append(&out)?)
            .stderr(append(&err)?);
        command.envs(launch.set.iter().map(|(name, value)| (name, value)));
        for name in &launch.unset {
            command.env_remove(name);
        }
        Ok(Process { child: spawn(command)?, ended: None, out, err })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal. A process that has ended is left alone: its number may be another's by now.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.status().is_none() {
            // It may end between these two lines, and is not reaped then: the signal goes nowhere.
            kill_process(Pid::from_child(&self.child), signal).expect("a signal to a child");
        }
    }

    /// How it ended, if it did.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child to wait for");
        }
        self.ended
    }

    /// Waits for its end, this long at most.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            let status = self.status();
            if status.is_some() || start.elapsed() > at_most {
                return status;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it by a signal that it cannot catch, also where it is stopped, and reaps it.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        *self.ended.get_or_insert_with(|| self.child.wait().expect("a child to wait for"))
    }

    pub(crate) fn out(&self) -> String {
        read(&self.out)
    }

    pub(crate) fn err(&self) -> String {
        read(&self.err)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    const LINES: usize = 30;
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

/// A value of the environment, where it is set and not empty.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value: &OsString| value.as_os_str() != OsStr::new(""))
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts a process from a thread that never ends. To the kernel the parent whose death counts is the thread, and a test's thread ends
/// with its test, which may have left the process to another.
fn spawn(command: Command) -> std::io::Result<Child> {
    static SPAWNER: LazyLock<Sender<Order>> = LazyLock::new(|| {
        let (orders, queue) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                // The one who ordered waits for the answer.
                drop(answer.send(command.spawn()));
            }
        });
        orders
    });
    let (answer, answered) = channel();
    SPAWNER.send((command, answer)).expect("the thread that starts processes");
    answered.recv().expect("the thread that starts processes")
}
