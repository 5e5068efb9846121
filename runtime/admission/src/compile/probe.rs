//! Tries what a worker may not do, from within a worker's confinement; for tests, which watch how the process ends.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "system calls that no library makes with such arguments")
)]

use std::process::ExitCode;

use weir_confine::{Wall, confine};

use super::frame::WorkerLimits;
use super::worker::confinement;

/// Confines this process as a worker and tries `what`, with `arguments` where it is a system call. Says on standard
/// output which part of the confinement is in force, what the call answered, and that the process is still there.
///
/// `call NUMBER ARGUMENT…` is made under all of the confinement; `call_without_seccomp …` shows what Landlock alone
/// denies.
pub fn probe_confinement(what: &str, arguments: &[String]) -> ExitCode {
    let limits = WorkerLimits { cpu_s_max: 1, memory_bytes_max: 256 << 20 };
    let confinement = match what.ends_with("_without_seccomp") {
        true => confinement(limits).without(Wall::Seccomp),
        false => confinement(limits),
    };
    let walls = match confine(&confinement) {
        Ok(walls) => walls,
        Err(error) => {
            eprintln!("the process could not be confined: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("files {}, signals {}, system calls {}", walls.files, walls.signals, walls.system_calls);
    match what {
        "nothing" => {}
        "memory" => println!("took {} bytes", vec![1_u8; 512 << 20].len()),
        "file" => drop(std::fs::read("/etc/passwd")),
        "file_without_seccomp" => println!("read: {}", std::fs::read("/etc/passwd").is_ok()),
        "socket" => drop(std::net::TcpListener::bind("127.0.0.1:0")),
        "process" => drop(std::process::Command::new("/bin/true").spawn()),
        "thread" => drop(std::thread::Builder::new().spawn(|| ())),
        "abort" => std::process::abort(),
        "call" | "call_without_seccomp" => match call(arguments) {
            Some(answer) => println!("answered {answer}"),
            None => println!("a call is a number and up to six arguments"),
        },
        "spin" => loop {
            std::hint::spin_loop();
        },
        other => println!("there is no probe {other:?}"),
    }
    println!("still here");
    ExitCode::SUCCESS
}

/// A system call: its number and arguments, of which those that begin with `/` are pointers to that text. What it
/// answered, or its error as a negative number.
#[cfg(target_os = "linux")]
fn call(arguments: &[String]) -> Option<i64> {
    let texts: Vec<_> =
        arguments.iter().map(|text| std::ffi::CString::new(text.as_str())).collect::<Result<_, _>>().ok()?;
    let mut words = [0_i64; 7];
    for ((word, argument), text) in words.iter_mut().zip(arguments).zip(&texts) {
        let pointer = || text.as_ptr().addr().cast_signed() as i64;
        *word = if argument.starts_with('/') { pointer() } else { argument.parse().ok()? };
    }
    let [number, a, b, c, d, e, f] = words;
    // SAFETY: pointers among the arguments are to texts that live to the end of this function, and a process that makes
    // this call is there for nothing else: what it does to itself ends with it.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    let error = || i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
    Some(if answer == -1 { -error() } else { answer })
}

#[cfg(not(target_os = "linux"))]
fn call(_arguments: &[String]) -> Option<i64> {
    None
}
