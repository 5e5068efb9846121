//! `weir pause`, `weir resume` and `weir stop`.

use std::io::Write;
use std::time::Duration;

use weir_admin::Wish;

use super::named::Named;
use crate::args::control::Steer;
use crate::control::{self, Everyone, Found, Seen, clean, everyone};
use crate::exit::{Exit, report, wrong};
use crate::live::grouped;

pub(crate) fn steer(args: &Steer, wish: Wish, json: bool) -> anyhow::Result<Exit> {
    let named: Vec<Named> = (args.queries.iter())
        .map(|written| Named::new(written, args.tenant.as_deref()).map_err(wrong))
        .collect::<Result<_, _>>()?;
    let Everyone { mut queries, silent, .. } = everyone()?;
    let mut exit = Exit::Done;
    for (pid, error) in &silent {
        report(&anyhow::anyhow!("process {pid}: {error}"), None, json);
        exit = Exit::Failed;
    }
    // What has ended beside others that run on is past all steering.
    queries.retain(|found| !found.seen.has_ended() && args.pid.is_none_or(|pid| pid == found.pid));
    let chosen: Vec<Found> = if args.all {
        queries.retain(|found| args.tenant.as_ref().is_none_or(|tenant| *tenant == found.seen.tenant));
        queries
    } else {
        let mut chosen: Vec<Found> = Vec::new();
        for named in &named {
            match one(named, &queries)? {
                Some(found) => chosen.push(found.clone()),
                None => {
                    report(&anyhow::anyhow!("{} is not running", named.title()), None, json);
                    exit = Exit::Failed;
                }
            }
        }
        chosen
    };
    let mut out = std::io::stdout().lock();
    if args.all && chosen.is_empty() && !json {
        writeln!(out, "no query is running")?;
    }
    // Side by side: each takes the time that its last batch takes.
    let wait = Duration::from_millis(args.timeout_ms);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = chosen.iter().map(|found| scope.spawn(move || control::steer(found, wish, wait))).collect();
        asked.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    for (before, answer) in chosen.iter().zip(answers) {
        let answer = answer.map_err(|_panic| anyhow::anyhow!("asking process {} failed", before.pid))?;
        let name = title(&before.seen, before.pid);
        match answer {
            Ok((after, done)) => {
                let failed = after.seen.ended.as_ref().is_some_and(|ended| ended.failure.is_some());
                if !done || failed {
                    exit = Exit::Failed;
                }
                if json {
                    writeln!(out, "{}", after.told)?;
                } else {
                    writeln!(out, "{name}: {}", account(wish, &before.seen, &after.seen, done, args.timeout_ms))?;
                }
            }
            Err(error) => {
                report(&anyhow::anyhow!("{name}: {error}"), None, json);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// The one that is meant; more than one is a mistake.
fn one<'a>(named: &Named, queries: &'a [Found]) -> anyhow::Result<Option<&'a Found>> {
    let fits: Vec<&Found> = queries.iter().filter(|found| named.is(found)).collect();
    match fits.as_slice() {
        [] => Ok(None),
        [found] => Ok(Some(*found)),
        several => {
            let names: Vec<_> = several.iter().map(|found| format!("  {}", title(&found.seen, found.pid))).collect();
            let which =
                format!("{} matches several queries: use --tenant or --pid to choose one, or --all", named.title());
            Err(wrong(anyhow::anyhow!("{which}\n{}", names.join("\n"))))
        }
    }
}

/// `late of tenant demo (pid 4242)`.
fn title(seen: &Seen, pid: u32) -> String {
    format!("{} of tenant {} (pid {pid})", clean(&seen.query), clean(&seen.tenant))
}

/// What it did.
fn account(wish: Wish, before: &Seen, after: &Seen, done: bool, timeout_ms: u64) -> String {
    let progress = &after.progress;
    let numbers = format!("{} read, {} committed", grouped(after.read()), grouped(progress.committed_records));
    if let Some(ended) = &after.ended {
        return match &ended.failure {
            Some(failure) => format!("failed: {}; {numbers}", clean(failure)),
            None => format!("{}; {numbers}", clean(&ended.ending)),
        };
    }
    let open = match progress.uncommitted_records {
        0 => String::new(),
        open if after.commit_ms.is_none() => format!("; {} more will be committed when it ends", grouped(open)),
        open => format!("; {} not committed yet", grouped(open)),
    };
    if !done {
        let asked = if wish == Wish::Stop { "stop" } else { "pause" };
        let state = clean(&progress.state);
        return format!("was asked to {asked} and is still {state} after {timeout_ms} ms; {numbers}{open}");
    }
    match wish {
        Wish::Resume if before.progress.state != "paused" => {
            format!("was not paused and is {}; {numbers}{open}", clean(&progress.state))
        }
        Wish::Resume => format!("resumed; {numbers}{open}"),
        Wish::Pause => format!("paused; {numbers}{open}"),
        Wish::Stop => format!("stopped; {numbers}{open}"),
    }
}
