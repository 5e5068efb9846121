//! How much does a confined process of its own cost a tenant?
//!
//! Model: a worker runs the same tasks on as many threads as a process without workers, so that a record costs the same. What comes on top is
//! paid once: two processes that start, and the messages between them.
//!
//! Runs the `weir` program of this profile on one query, in one process and with a worker, in turn. Smoke-runs with a short query; with
//! `cargo bench`, five pairs of `WEIR_WORKERS_BATCHES` batches of 1,000 records (300,000 by default).

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use weir_tests::guest_path;

/// What a run took, in seconds.
#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    user: f64,
    system: f64,
}

impl Took {
    fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let program = program()?;
    if !program.exists() {
        println!(
            "skipped: no program at {}; `cargo build --package weir-cli` with this profile makes it",
            program.display()
        );
        return Ok(());
    }
    let batches = std::env::var("WEIR_WORKERS_BATCHES").ok().and_then(|batches| batches.parse().ok());
    let batches: u64 = if is_bench { batches.unwrap_or(300_000) } else { 200 };
    let folder = std::env::temp_dir().join(format!("weir-bench-workers-{}", std::process::id()));
    fs::create_dir_all(folder.join("acme"))?;
    prepare(&folder, batches)?;
    let pairs = if is_bench { 5 } else { 1 };
    // Once for the code cache.
    run(&program, &folder, &[])?;
    let mut ratios = Vec::new();
    for _ in 0..pairs {
        let (one, worker) = (run(&program, &folder, &[])?, run(&program, &folder, &["--workers"])?);
        for (name, took) in [("one process", one), ("a worker", worker)] {
            println!(
                "{name:12} {:8.1} M records/s; {:6.2} s of CPU time (user {:.2}, system {:.2}), {:6.2} s of wall time",
                batches as f64 / 1e3 / took.wall,
                took.cpu(),
                took.user,
                took.system,
                took.wall
            );
        }
        ratios.push((worker.cpu() / one.cpu(), worker.wall / one.wall));
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (cpu, wall): (Vec<f64>, Vec<f64>) = ratios.into_iter().unzip();
    println!(
        "a worker takes {:.3} times the CPU time, {:.3} times the wall time (medians of pairs)",
        median(cpu),
        median(wall)
    );
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// The program beside this bench: `target/PROFILE/weir`, of `target/PROFILE/deps/workers-…`.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let bench = std::env::current_exe()?;
    let profile = bench.parent().and_then(Path::parent).ok_or("a bench in a folder of a profile")?;
    Ok(profile.join("weir"))
}

/// A tenant's query and the limits file.
fn prepare(folder: &Path, batches: u64) -> Result<(), Box<dyn Error>> {
    fs::copy(guest_path("seed")?, folder.join("acme/seed.wasm"))?;
    fs::write(
        folder.join("acme/q.toml"),
        format!(
            "name = \"q\"\ntenant = \"acme\"\n[sources.seed]\nkind = \"generator\"\nbatches = {batches}\n\
             [[stages]]\nname = \"pass\"\nmodule = \"seed.wasm\"\nfunction = \"pass\"\n[sinks.out]\nkind = \"count\"\n"
        ),
    )?;
    fs::write(folder.join("limits.toml"), "[tenants.acme]\nfolders = [\"acme\"]\nqueries = [\"acme\"]\n")?;
    Ok(())
}

fn run(program: &Path, folder: &Path, how: &[&str]) -> Result<Took, Box<dyn Error>> {
    let (user, system) = children()?;
    let started = Instant::now();
    let ran = Command::new(program)
        .current_dir(folder)
        .args(["run", "--quiet", "--no-control", "--limits", "limits.toml", "acme/q.toml"])
        .args(how)
        .env("WEIR_CODE_CACHE", folder.join("cache"))
        .stdin(Stdio::null())
        .output()?;
    let wall = started.elapsed().as_secs_f64();
    if !ran.status.success() {
        return Err(format!("{}: {}", ran.status, String::from_utf8_lossy(&ran.stderr)).into());
    }
    let (user_now, system_now) = children()?;
    Ok(Took { wall, user: user_now - user, system: system_now - system })
}

/// CPU time of the processes that this one has started and waited for, and of theirs: user's and system's, in seconds.
fn children() -> Result<(f64, f64), Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("a name in /proc/self/stat")?;
    let mut fields = rest.split_whitespace().skip(13).map(str::parse::<f64>);
    let mut next = || Ok::<f64, Box<dyn Error>>(fields.next().ok_or("sixteen fields in /proc/self/stat")?? / 100.0);
    Ok((next()?, next()?))
}
