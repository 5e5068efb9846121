//! The engine's side: a module is handed to a worker, and what comes back is looked at.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use weir_confine::{Enforced, Walls};

use super::cost::CompileCost;
use super::frame::{Answer, Request, WorkerLimits, read_body, read_head, write};
use super::load::Trusted;
use super::mac::Key;
use super::settings::{CodeSettings, Tier};
use super::worker::tier_name;
use crate::module_limits::NATIVE_BYTES;
use crate::{CapExceeded, LimitExceeded, Limits, Refusal};

/// Where modules are compiled.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Compiler {
    /// In this process, at once as well as the engine is to: for modules that are trusted, and for tests.
    #[default]
    InProcess,
    /// In a process of its own for each module, with limits of CPU time and memory, and without files, sockets or other
    /// processes where the kernel can take them away.
    Worker {
        /// The program; it has to call [`compile_worker`](crate::compile_worker).
        program: PathBuf,
        /// What makes the program do so.
        arguments: Vec<String>,
    },
}

/// Code, and what it took.
#[non_exhaustive]
pub struct Artefact {
    /// How much work went into it.
    pub tier: Tier,
    /// The code, which may be loaded.
    pub code: Trusted,
    /// What compiling took so far.
    pub cost: CompileCost,
}

/// Compiles in this process.
///
/// # Errors
///
/// What the compiler refuses. A panic of the compiler is the module's refusal too.
pub fn compile_here(engine: &wasmtime::Engine, tier: Tier, module: &[u8]) -> Result<Artefact, Refusal> {
    let started = Instant::now();
    let compiled = catch_unwind(AssertUnwindSafe(|| engine.precompile_module(module)));
    let code = compiled
        .map_err(|_| Refusal::CompilerEnded { how: "by a panic".to_owned(), said: String::new() })?
        .map_err(|error| Refusal::Compile(weir_text::escape_to(&format!("{error:#}"), 400)))?;
    let cost = CompileCost { time: started.elapsed(), ..CompileCost::default() };
    Ok(Artefact { tier, code: Trusted::vouch(code), cost })
}

/// A worker at work on one module. Ended when it is dropped.
pub(super) struct Job {
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
    key: Key,
    limits: WorkerLimits,
    code_bytes_max: usize,
    started: Instant,
    // Wall-clock time at which nothing more is expected of it.
    give_up: Instant,
}

impl Job {
    /// Starts a worker and hands it the module.
    pub(super) fn start(
        program: &std::path::Path,
        arguments: &[String],
        settings: CodeSettings,
        module: &[u8],
        limits: &Limits,
        optimise: bool,
    ) -> Result<Job, Refusal> {
        let started = Instant::now();
        let worker = |error: io::Error| Refusal::Worker(format!("{}: {error}", program.display()));
        let key = Key::random().map_err(worker)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(worker)?;
        let (stdin, stdout, stderr) = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
            _ => return Err(Refusal::Worker(format!("{}: its pipes are missing", program.display()))),
        };
        let limits_of_worker = WorkerLimits {
            cpu_s_max: limits.compile_cpu_s_max,
            memory_bytes_max: limits.compile_memory_bytes_max as u64,
        };
        // A process that does not get a core takes longer than its CPU time; one that takes this much longer hangs.
        let patience = Duration::from_secs(limits.compile_cpu_s_max.saturating_mul(4).saturating_add(5));
        let mut job = Job {
            child,
            stdout,
            stderr,
            key,
            limits: limits_of_worker,
            code_bytes_max: limits.native_bytes_max,
            started,
            give_up: started.checked_add(patience).unwrap_or(started),
        };
        let request = Request {
            key: *job.key.as_bytes(),
            settings,
            limits: limits_of_worker,
            module_bytes: module.len() as u64,
            optimise,
        };
        let pipe = Patient { pipe: stdin, until: job.give_up };
        match write(pipe, request, module) {
            Ok(()) => Ok(job),
            Err(error) => Err(job.explain(&error)),
        }
    }

    /// The next code that the worker makes: the baseline first.
    pub(super) fn next(&mut self) -> Result<Artefact, Refusal> {
        let answer = read_head::<Answer>(Patient { pipe: &mut self.stdout, until: self.give_up });
        let (tier, mac, spent, walls, code_bytes) = match answer {
            Ok(Answer::Code { tier, mac, spent, walls, code_bytes }) => (tier, mac, spent, walls, code_bytes),
            Ok(Answer::Refused { reason }) => return Err(Refusal::Compile(weir_text::escape_to(&reason, 400))),
            Err(error) => return Err(self.explain(&error)),
        };
        report(walls);
        // Beside machine code there are tables of where it may trap, relocations and the like.
        let most = (self.code_bytes_max as u64).saturating_mul(4).saturating_add(4 << 20);
        if code_bytes > most {
            let found = usize::try_from(code_bytes).unwrap_or(usize::MAX);
            return Err(Refusal::TooLarge(CapExceeded::of_module(NATIVE_BYTES, self.code_bytes_max, found)));
        }
        let body = read_body(Patient { pipe: &mut self.stdout, until: self.give_up }, code_bytes, most);
        let code = match body {
            Ok(code) => code,
            Err(error) => return Err(self.explain(&error)),
        };
        if !self.key.verifies(&[tier_name(tier), &code], &mac) {
            return Err(Refusal::Worker("the response of the worker is not authentic".to_owned()));
        }
        if tier == Tier::Baseline {
            self.limits.cpu_s_max = optimising_cpu_s_max(self.limits.cpu_s_max, spent.cpu_nanos);
            limit_cpu(&self.child, self.limits.cpu_s_max);
        }
        Ok(Artefact { tier, code: Trusted::vouch(code), cost: spent.cost(self.started.elapsed()) })
    }

    /// Why no answer came: how the worker ended. One that still runs is ended.
    fn explain(&mut self, error: &io::Error) -> Refusal {
        if error.kind() == io::ErrorKind::TimedOut {
            let waited_s = self.started.elapsed().as_secs();
            return Refusal::CompilerSilent { waited_s };
        }
        // A worker that closed its pipe, or broke it, is about to end, or has.
        let status = self.ended_within(Duration::from_millis(500));
        let said = self.said();
        match status.map(|status| (status.signal(), status.code())) {
            Some((Some(signal), _)) if signal == Signal::XCPU.as_raw() => {
                let limit = usize::try_from(self.limits.cpu_s_max).unwrap_or(usize::MAX);
                Refusal::CompileLimit(LimitExceeded::seconds("compile time", limit, limit, 1))
            }
            Some((Some(signal), _)) => {
                let name = Signal::from_named_raw(signal).map(named).unwrap_or_default();
                Refusal::CompilerEnded { how: format!("by signal {signal}{name}"), said }
            }
            Some((None, Some(code))) if code != 0 => {
                Refusal::Worker(format!("the worker ended with code {code}: {said}"))
            }
            Some(_) | None => Refusal::Worker(format!("the response of the worker is invalid: {error}")),
        }
    }

    fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let waiting = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if waiting.elapsed() < patience => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The first line that the worker wrote to its standard error.
    fn said(&mut self) -> String {
        let mut said = Vec::new();
        let soon = Instant::now().checked_add(Duration::from_millis(100)).unwrap_or(self.started);
        // What was read before an error counts.
        let _ended = Patient { pipe: &mut self.stderr, until: soon }.take(4 << 10).read_to_end(&mut said).is_err();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        weir_text::escape_to(line, 200)
    }
}

/// CPU seconds after which a worker is ended that optimises: half of its limit, or three times what the baseline took.
///
/// The baseline takes time in proportion to the module. Optimising takes longer for shapes that were made for it, by ten
/// times and more: what runs already is not worth the whole limit.
fn optimising_cpu_s_max(cpu_s_max: u64, baseline_cpu_nanos: u64) -> u64 {
    let thrice = baseline_cpu_nanos.saturating_mul(3).div_ceil(1_000_000_000);
    cpu_s_max.div_ceil(2).max(thrice).min(cpu_s_max)
}

/// Lowers the limit at which a worker gets the signal that ends it. Where that cannot be done, its first limit holds.
#[cfg(target_os = "linux")]
fn limit_cpu(worker: &Child, cpu_s_max: u64) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let limit = Rlimit { current: Some(cpu_s_max), maximum: Some(cpu_s_max.saturating_add(1)) };
    if let Err(error) = prlimit(Some(Pid::from_child(worker)), Resource::Cpu, limit) {
        tracing::debug!("the CPU time of a worker that optimises is not limited further: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_cpu(_worker: &Child, _cpu_s_max: u64) {}

impl Drop for Job {
    fn drop(&mut self) {
        // One that has ended already cannot be ended, and that is all that can go wrong.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A pipe that is waited for until a time.
struct Patient<P> {
    pipe: P,
    until: Instant,
}

impl<P: AsFd> Patient<P> {
    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let ready = poll(&mut [PollFd::new(&self.pipe, flags)], Some(&timeout))?;
        if ready == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl<P: AsFd + Read> Read for Patient<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(PollFlags::IN)?;
        self.pipe.read(buffer)
    }
}

impl Write for Patient<ChildStdin> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.wait(PollFlags::OUT)?;
        // A pipe that is ready takes as much without making its writer wait (`PIPE_BUF` of POSIX's limits.h).
        self.pipe.write(buffer.get(..buffer.len().min(4 << 10)).unwrap_or_default())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// ` (SEGV)`: rustix shows a signal as its Rust path.
fn named(signal: Signal) -> String {
    let path = format!("{signal:?}");
    let name = path.trim_matches('"');
    format!(" ({})", name.rsplit("::").next().unwrap_or(name))
}

/// Says once what this kernel lacks.
fn report(walls: Walls) {
    static SAID: Once = Once::new();
    let Walls { files, signals, system_calls, .. } = walls;
    // Scopes are a second lock on what the denial of system calls keeps shut: their lack alone is no news.
    if files != Enforced::Fully || system_calls != Enforced::Fully {
        SAID.call_once(|| {
            tracing::warn!(
                "workers that compile are confined by limits of CPU time and memory; denial of files (Landlock): {files}; \
                 of signals (Landlock): {signals}; of system calls (seccomp): {system_calls}"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::optimising_cpu_s_max;

    #[test]
    fn optimising_has_half_of_the_limit_and_more_where_the_baseline_took_long() {
        let of = |limit, baseline_ms: u64| optimising_cpu_s_max(limit, baseline_ms * 1_000_000);
        assert_eq!(
            [of(10, 0), of(10, 1_600), of(10, 1_700), of(10, 9_000), of(10, u64::MAX / 1_000_000)],
            [5, 5, 6, 10, 10]
        );
        assert_eq!([of(1, 0), of(3, 0), of(0, 5)], [1, 2, 0]);
    }
}
