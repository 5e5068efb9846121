//! The `weir` command: checks, runs and explains queries and modules.

mod args;
mod command;
mod control;
mod drawing;
mod engine;
mod exit;
mod heap;
mod live;
mod name;
mod otlp;
mod signals;
mod standard_error;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::standard_error::StandardError;

/// How long the end waits for a standard error that nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    // Before anything else: a worker takes no arguments of a person's, and confines itself at once.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == engine::COMPILE_WORKER) {
        return weir_sandbox::compile_worker();
    }
    if std::env::args_os().nth(1).is_some_and(|argument| argument == command::workers::WORKER) {
        // A worker runs what this process would run: with the same heap.
        heap::give_back_large_blocks();
        weir_kafka::hush_illegible_headers();
        return weir_worker::worker_main(|place| weir_tenancy::take_place(place).map(|_| ()));
    }
    if std::env::args_os().nth(1).is_some_and(|argument| argument == command::workers::CONNECTOR) {
        return match weir_tenancy::connector_main(weir_worker::confine_connector) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // The pipe of last words may be gone with the supervisor.
                drop(writeln!(std::io::stderr(), "{error}"));
                ExitCode::FAILURE
            }
        };
    }
    heap::give_back_large_blocks();
    weir_kafka::hush_illegible_headers();
    let args = Args::parse();
    StandardError::speaks_json(args.json);
    StandardError::take_panics();
    // Attacks make the host warn, which is what it should do, and would bury the report.
    let shown = if matches!(args.command, Command::Redteam(_)) {
        "error,weir_admission=off,weir_sandbox=off"
    } else {
        "warn,guest=info"
    };
    log_to_stderr(args.json, shown);
    let done = match args.command {
        Command::Run(run) => command::workers::run_or_not(&run, args.json),
        Command::Status(status) => command::status::status(&status, args.json),
        Command::Top(top) => command::top::top(&top, args.json),
        Command::Pause(steer) => command::steer::steer(&steer, weir_admin::Wish::Pause, args.json),
        Command::Resume(steer) => command::steer::steer(&steer, weir_admin::Wish::Resume, args.json),
        Command::Stop(steer) => command::steer::steer(&steer, weir_admin::Wish::Stop, args.json),
        Command::Check(check) => command::check::check(&check, args.json),
        Command::Schema(schema) => command::schema::schema(&schema, args.json),
        Command::Inspect(inspect) => command::inspect::inspect(&inspect, args.json),
        Command::Try(try_out) => command::try_out::try_out(&try_out, args.json),
        Command::DeadLetters(letters) => command::dead_letters::dead_letters(&letters, args.json),
        Command::New(new) => command::new::new(&new, args.json),
        Command::Generate(generate) => command::generate::generate(&generate),
        Command::Redteam(redteam) => command::redteam::redteam(&redteam, args.json),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(error) if exit::is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            exit::report(&error, None, args.json);
            Exit::of(&error)
        }
    };
    StandardError::drain(LAST_WORDS);
    exit.into()
}

/// Log lines go to standard error, never to standard output, which is the data's. `WEIR_LOG` chooses what is shown.
fn log_to_stderr(json: bool, shown: &str) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{EnvFilter, Layer};
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new(shown));
    // A standard error that is closed, or that nobody reads, is no reason to end or to wait: what cannot be said is
    // dropped.
    let lines = tracing_subscriber::fmt::layer().with_writer(StandardError).log_internal_errors(false);
    let lines = if json {
        lines.json().boxed()
    } else {
        let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
        lines.with_ansi(colour).without_time().boxed()
    };
    // What is shown is what an exporter of logs hears.
    tracing_subscriber::registry().with(filter).with(lines).with(otlp::OwnWords).init();
}
