//! `weir dead-letters replay`.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use weir_admin::{Board, QueryOutcome};
use weir_query::{Ending, Replay, Replayed, Replaying, RunningQuery};
use weir_sinks::SinkConfig;
use weir_text::elide;

use super::letters::{Letters, filter};
use crate::args::dead_letters as args;
use crate::command::summary::tell;
use crate::control::Control;
use crate::engine::{config, engine};
use crate::exit::{Exit, say, say_json, wrong};
use crate::live::{Screen, Show};
use crate::signals::{GRACE, Signals, soft};

pub(super) fn replay(args: &args::Replay, json: bool) -> anyhow::Result<Exit> {
    let mut filter = filter(&args.filter);
    filter.only = (!args.only.is_empty()).then(|| args.only.iter().copied().collect());
    let Letters { plan, path, .. } = Letters::taken(&args.query)?;
    let rows_on_stdout = plan.sinks.iter().any(|sink| matches!(sink.config, SinkConfig::Stdout { .. }));
    let replay = Replay::prepare_from(plan, &path, &filter).map_err(wrong)?;
    announce(replay.replaying());
    if replay.replaying().letters == 0 {
        if json {
            say_json(&json!({ "replayed": 0, "died_again": 0 }));
        } else if !args.quiet {
            say("no dead letters to replay");
        }
        return Ok(Exit::Done);
    }
    let screen = Screen::new(Show::choose(args.quiet, json, rows_on_stdout));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2 * cores).enable_all().build()?;
    let done = runtime.block_on(async {
        let signals = Signals::catch(GRACE)?;
        let (query, replaying) = replay.build(&engine(config())?).await.map_err(wrong)?;
        let query = query.within(soft(GRACE));
        // By the query's name: it does not run meanwhile.
        let (name, tenant) = (query.plan().name.clone(), query.plan().tenant.to_string());
        let handle: Arc<dyn RunningQuery> = Arc::new(query.handle());
        let board = Arc::new(Board::new([(Arc::clone(&handle), query.plan().delivery.commit_every)].into_iter()));
        let control = Control::doors().open(Arc::clone(&board), true)?;
        signals.drain(vec![Arc::clone(&handle)], control.socket());
        let watch = screen.watch(handle, None);
        let ran = query.run().await;
        drop(watch);
        let summary = match &ran {
            Ok(summary) => summary,
            Err(error) => &error.summary,
        };
        let ending = if ran.is_ok() { summary.ending } else { Ending::Failed };
        let failure = ran.as_ref().err().map(ToString::to_string);
        board.ended(&name, &tenant, QueryOutcome::new(ending.to_string(), failure));
        tell(summary, None, args.quiet, json);
        let letters = replaying.letters;
        let replayed = replaying.finish(summary)?;
        drop(control);
        account(&replayed, letters, args.quiet, json);
        ran?;
        Ok(if replayed.kept.is_some() { Exit::Done } else { Exit::Failed })
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// What is odd about the letters, before they run.
fn announce(replaying: &Replaying) {
    if replaying.resumed {
        tracing::warn!(
            letters = replaying.letters,
            "an earlier replay did not finish: replaying its dead letters first, regardless of the filters"
        );
    }
    for not in &replaying.why_not {
        tracing::warn!("dead letter {} cannot be replayed and stays: {}", not.number, elide(&not.reason, 1000));
    }
    let untold = replaying.not_replayed.saturating_sub(replaying.why_not.len() as u64);
    if untold > 0 {
        tracing::warn!("{untold} more dead letters cannot be replayed and stay");
    }
    for version in &replaying.other_versions {
        let (place, module) = (elide(&version.place, 100), elide(&version.module, 64));
        let letters = version.letters;
        tracing::warn!("the module has changed: {letters} dead letters of {place} failed in {module}");
    }
}

fn account(replayed: &Replayed, letters: u64, quiet: bool, json: bool) {
    let Replayed { letters: read, died_again, kept, .. } = replayed;
    if json {
        let kept = kept.as_ref().map(|kept| kept.display().to_string());
        say_json(&json!({ "replayed": read, "died_again": died_again, "finished": kept.is_some(), "kept": kept }));
    } else if let Some(kept) = kept {
        if !quiet {
            say(format_args!("replayed {read} dead letters, {died_again} failed again; stored in {}", kept.display()));
        }
    } else {
        say(format_args!(
            "replayed {read} of {letters} dead letters, {died_again} failed again; the next `weir dead-letters replay` continues"
        ));
    }
}
