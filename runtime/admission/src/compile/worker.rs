//! The worker's side: one module, then the end.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};
use weir_confine::{Budgets, Confinement, confine};

use super::frame::{Answer, Request, Spent, WorkerLimits, read_body, read_head, write};
use super::mac::Key;
use super::settings::Tier;

/// Compiles the module that is handed in on standard input, confined, and answers on standard output. A host whose
/// engine uses [`Compiler::Worker`](crate::Compiler::Worker) calls this first thing when it is started as one.
pub fn compile_worker() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be gone with whoever started this process.
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    // Behind whatever runs for queries.
    setpriority_process(None, 10)?;
    let mut stdin = io::stdin().lock();
    let request: Request = read_head(&mut stdin)?;
    let key = Key::from_bytes(request.key);
    // All that needs the system is made before it is taken away; the module comes after.
    let engine = |tier| {
        let config = request.settings.compiler(tier);
        wasmtime::Engine::new(&config).map_err(|error| io::Error::other(format!("{error:#}")))
    };
    let tiers = match request.optimise {
        true => vec![(Tier::Baseline, engine(Tier::Baseline)?), (Tier::Optimised, engine(Tier::Optimised)?)],
        false => vec![(Tier::Baseline, engine(Tier::Baseline)?)],
    };
    let status = File::open("/proc/self/status").ok();
    // The first look at the clock asks the kernel where to look.
    spent(status.as_ref());
    let walls = confine(&confinement(request.limits)).map_err(io::Error::other)?;
    let module = read_body(&mut stdin, request.module_bytes, request.module_bytes)?;
    let mut stdout = io::stdout().lock();
    for (tier, engine) in tiers {
        let code = match engine.precompile_module(&module) {
            Ok(code) => code,
            Err(error) => {
                let mut reason = format!("{error:#}");
                reason.truncate(reason.floor_char_boundary(1 << 10));
                return write(&mut stdout, Answer::Refused { reason }, &[]);
            }
        };
        let mac = key.mac(&[tier_name(tier), &code]);
        let spent = spent(status.as_ref());
        let code_bytes = code.len() as u64;
        write(&mut stdout, Answer::Code { tier, mac, spent, walls, code_bytes }, &code)?;
    }
    Ok(())
}

/// What a worker may still do before it reads a module. Its parent is not compared: it may be a program that the operator put
/// between, and whoever waits for an answer holds the other end of the pipes.
pub(super) fn confinement(limits: WorkerLimits) -> Confinement {
    Confinement::compile_worker(Budgets {
        address_space_bytes_max: Some(limits.memory_bytes_max),
        file_bytes_max: Some(0),
        cpu_s_max: Some(limits.cpu_s_max),
        ..Budgets::default()
    })
}

/// What stands for a tier under a MAC.
pub(super) fn tier_name(tier: Tier) -> &'static [u8] {
    match tier {
        Tier::Baseline => b"baseline",
        Tier::Optimised => b"optimised",
    }
}

fn spent(status: Option<&File>) -> Spent {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(cpu.tv_nsec).unwrap_or(0);
    let cpu_nanos = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Spent { cpu_nanos, memory_bytes_peak: status.and_then(peak).unwrap_or(0) }
}

/// The most memory that this process held, from `VmHWM` of proc(5).
fn peak(status: &File) -> Option<u64> {
    let mut text = [0; 4 << 10];
    let length = status.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1 << 10)
}
