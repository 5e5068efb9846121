//! Victims, files that are not the attacker's, and the attacker's process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::worker::ROLE;

/// Nobody's user and group.
const OTHER_USER: u32 = 65_534;

/// A folder of the attacker's tenant, one that it may read, another tenant's and the registry, all of one user, and the worker of
/// another tenant, confined in the same way.
pub(crate) struct Scene {
    uid: Option<u32>,
    folder: tempfile::TempDir,
    victim: Victim,
    before: String,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) signal: Option<i32>,
    pub(crate) said: String,
    pub(crate) error: String,
}

impl Ended {
    /// What a call answered, or its error as a negative number.
    pub(crate) fn answer(&self) -> Option<i64> {
        self.said.lines().find_map(|line| line.strip_prefix("answered ")).and_then(|answer| answer.parse().ok())
    }
}

impl Scene {
    /// One as this user, and one as another where this one is root.
    pub(crate) fn each(mut play: impl FnMut(&mut Scene)) {
        let users = if rustix::process::geteuid().is_root() { vec![None, Some(OTHER_USER)] } else { vec![None] };
        for uid in users {
            play(&mut Scene::new(uid));
        }
    }

    pub(crate) fn new(uid: Option<u32>) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        for name in ["mine", "input", "theirs", "registry"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), name).unwrap();
            for path in [&path, &path.join("file")] {
                chown(path, uid, uid).unwrap();
            }
        }
        let victim = Victim::start(Worker::new(uid).write(folder.path().join("theirs")));
        let mut scene = Scene { uid, folder, victim, before: String::new() };
        scene.before = scene.state();
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The processes that must not be hurt: another tenant's worker, and the supervisor.
    pub(crate) fn victims(&self) -> [i64; 2] {
        [i64::from(self.victim.0.id()), i64::from(std::process::id())]
    }

    /// The attacker: a worker that may write to `mine` and read `input`.
    pub(crate) fn worker(&self) -> Worker {
        Worker::new(self.uid).write(self.path("mine")).read(self.path("input"))
    }

    /// The victim lives, and neither it nor a file but those in `mine` is another one than before.
    pub(crate) fn check_unchanged(&mut self, attack: &str) {
        assert!(self.victim.0.try_wait().unwrap().is_none(), "{attack}: the victim ended");
        assert_eq!(self.state(), self.before, "{attack}");
    }

    fn state(&self) -> String {
        let [victim, supervisor] = self.victims();
        let mut files = BTreeMap::new();
        for folder in ["", "input", "theirs", "registry"] {
            for entry in fs::read_dir(self.path(folder)).unwrap() {
                let path = entry.unwrap().path();
                let status = path.symlink_metadata().unwrap();
                let times = (status.mtime(), status.mtime_nsec(), status.ctime(), status.ctime_nsec(), status.nlink());
                let content = fs::read(&path).unwrap_or_default();
                // Its own folder may change.
                let times = if path.ends_with("mine") { None } else { Some(times) };
                files.insert(path.clone(), (status.mode(), status.uid(), times, content));
            }
        }
        // The supervisor gets signals of its children, which wait while it starts one.
        let pending = &["SigPnd:", "ShdPnd:", "Cpus_allowed:"];
        format!("{} {} {files:#?}", about(victim, pending), about(supervisor, &pending[2..]))
    }
}

/// What another process of the same user could change about a process.
fn about(process: i64, keys: &[&str]) -> String {
    // Of a process that is not dumpable some files are root's.
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let status = read("status");
    let kept = |line: &&str| keys.iter().any(|key| line.starts_with(key));
    let stat = read("stat");
    // From its priority on, behind the name: niceness; policy at the end.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let kept_fields: Vec<&&str> = [16, 17, 38, 39].iter().filter_map(|&at| fields.get(at)).collect();
    format!("{:?} {kept_fields:?} {}", status.lines().filter(kept).collect::<Vec<_>>(), read("limits"))
}

/// A worker of this user or another one, with its confinement.
pub(crate) struct Worker {
    arguments: Vec<String>,
}

impl Worker {
    pub(crate) fn new(uid: Option<u32>) -> Worker {
        let mut worker = Worker { arguments: Vec::new() };
        if let Some(uid) = uid {
            worker = worker.with("uid", uid);
        }
        worker.with("parent", std::process::id())
    }

    pub(crate) fn with(mut self, key: &str, value: impl std::fmt::Display) -> Worker {
        self.arguments.push(format!("{key}={value}"));
        self
    }

    pub(crate) fn read(self, path: impl AsRef<Path>) -> Worker {
        self.with("read", path.as_ref().display())
    }

    pub(crate) fn write(self, path: impl AsRef<Path>) -> Worker {
        self.with("write", path.as_ref().display())
    }

    fn command(&self, action: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env_clear().env(ROLE, "1").args(&self.arguments).arg("do");
        command.args(action.iter().map(AsRef::as_ref)).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Confines a process and lets it act; waits for its end.
    pub(crate) fn run(&self, action: &[impl AsRef<str>]) -> Ended {
        let output = self.command(action).stderr(Stdio::piped()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { signal: output.status.signal(), said: text(output.stdout), error: text(output.stderr) }
    }
}

/// A confined process that does nothing.
pub(crate) struct Victim(pub(crate) Child);

impl Victim {
    pub(crate) fn start(worker: Worker) -> Victim {
        let mut child = worker.command(&["wait"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("seccomp "), "{line}");
        Victim(child)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
