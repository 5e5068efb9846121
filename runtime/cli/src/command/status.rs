//! `weir status`.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use weir_state::{Positions, StateManifest};
use weir_telemetry::WorkerReport;
use weir_text::{ByteCount, Rate};

use super::named::{KeptState, Named};
use crate::args::control::Status;
use crate::control::{Align, Everyone, Found, Seen, clean, everyone, table};
use crate::exit::{Exit, report, wrong};
use crate::live::grouped;

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn status(args: &Status, json: bool) -> anyhow::Result<Exit> {
    let named: Vec<Named> = (args.queries.iter())
        .map(|written| Named::new(written, args.tenant.as_deref()).map_err(wrong))
        .collect::<Result<_, _>>()?;
    let mut before = HashMap::new();
    let mut ran = false;
    loop {
        let look = Instant::now();
        let all = everyone()?;
        let shown = Shown { args, json, all: &all, before: &before, look };
        let runs = all.queries.iter().any(|found| shown.is_meant(&named, found) && !found.seen.has_ended());
        if ran && !runs {
            // Its process told how it ended, and has gone.
            return Ok(Exit::Done);
        }
        ran = runs && args.watch;
        let mut screen = Vec::new();
        if args.watch && !json && std::io::stdout().is_terminal() {
            // To the top, and nothing of the last look stays.
            screen.extend_from_slice(b"\x1b[H\x1b[2J");
        }
        let mut exit = shown.show(&mut screen, &named)?;
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&screen)?;
        stdout.flush()?;
        for (pid, error) in &all.silent {
            report(&anyhow::anyhow!("process {pid}: {error}"), None, json);
            exit = Exit::Failed;
        }
        if !ran {
            return Ok(exit);
        }
        before = all.queries.into_iter().map(|found| (key(&found), (look, found.seen))).collect();
        std::thread::sleep(WATCH_EVERY.saturating_sub(look.elapsed()));
    }
}

type Key = (u32, String, String);

fn key(found: &Found) -> Key {
    (found.pid, found.seen.tenant.clone(), found.seen.query.clone())
}

/// One look at what runs.
struct Shown<'a> {
    args: &'a Status,
    json: bool,
    all: &'a Everyone,
    before: &'a HashMap<Key, (Instant, Seen)>,
    look: Instant,
}

impl Shown<'_> {
    fn is_meant(&self, named: &[Named], found: &Found) -> bool {
        if named.is_empty() {
            self.args.tenant.as_ref().is_none_or(|tenant| *tenant == found.seen.tenant)
        } else {
            named.iter().any(|named| named.is(found))
        }
    }

    fn show(&self, out: &mut impl Write, named: &[Named]) -> anyhow::Result<Exit> {
        let mut exit = Exit::Done;
        let mut blocks = 0;
        let mut gap = |out: &mut dyn Write, json: bool| {
            blocks += 1;
            if blocks > 1 && !json { writeln!(out) } else { Ok(()) }
        };
        for found in self.all.queries.iter().filter(|found| self.is_meant(named, found)) {
            gap(out, self.json)?;
            if self.json {
                let mut told = found.told.clone();
                told["running"] = (!found.seen.has_ended()).into();
                if let Some((worker, given_up)) = self.all.worker(found) {
                    told["worker"] = serde_json::to_value(worker)?;
                    told["walls_given_up"] = serde_json::to_value(given_up)?;
                }
                writeln!(out, "{told}")?;
            } else {
                self.running(out, found)?;
            }
        }
        for named in named.iter().filter(|named| !self.all.queries.iter().any(|found| named.is(found))) {
            match stopped(named) {
                Ok(manifest) => {
                    gap(out, self.json)?;
                    if self.json {
                        writeln!(out, "{}", stopped_json(named, &manifest))?;
                    } else {
                        show_stopped(out, named, &manifest)?;
                    }
                }
                Err(error) => {
                    report(&error, None, self.json);
                    exit = Exit::Failed;
                }
            }
        }
        if blocks == 0 && named.is_empty() && !self.json {
            writeln!(out, "no query is running")?;
        }
        Ok(exit)
    }

    fn running(&self, out: &mut impl Write, found: &Found) -> std::io::Result<()> {
        let (seen, progress) = (&found.seen, &found.seen.progress);
        let uptime = Duration::from_millis(seen.uptime_ms);
        let state = match &seen.ended {
            Some(_) if progress.state == "failed" => "failed".to_owned(),
            Some(ended) => clean(&ended.ending),
            None => clean(&progress.state),
        };
        let (query, tenant) = (clean(&seen.query), clean(&seen.tenant));
        writeln!(out, "query {query} of tenant {tenant} (pid {}): {state}, {} up", found.pid, time(uptime))?;
        if let Some(failure) = seen.ended.as_ref().and_then(|ended| ended.failure.as_ref()) {
            writeln!(out, "  {}", clean(failure))?;
        }
        // Of the time since the last look; at the first, of all time.
        let past = self.before.get(&key(found));
        let seconds = past.map_or(uptime, |(look, _)| self.look - *look).as_secs_f64().max(1e-3);
        let rate = |now: u64, of: fn(&Seen) -> u64| {
            let before = past.map_or(0, |(_, seen)| of(seen));
            Rate::of(now.saturating_sub(before), seconds)
        };
        let bytes: u64 = progress.sources.iter().map(|source| source.bytes).fold(0, u64::saturating_add);
        writeln!(
            out,
            "  read {} ({}, {}{}), written {} ({})",
            grouped(seen.read()),
            rate(seen.read(), Seen::read),
            ByteCount(bytes),
            seen.percent().map(|percent| format!(", {percent} %")).unwrap_or_default(),
            grouped(seen.written()),
            rate(seen.written(), Seen::written),
        )?;
        // The numbers are another process's: a sum of them must not overflow.
        let sum = |parts: [Vec<u64>; 3]| parts.into_iter().flatten().fold(0, u64::saturating_add);
        let (sources, stages, sinks) = (&progress.sources, &progress.stages, &progress.sinks);
        let filtered = sum([stages.iter().map(|stage| stage.filtered).collect(), Vec::new(), Vec::new()]);
        let failed = sum([
            sources.iter().map(|source| source.failed).collect(),
            stages.iter().map(|stage| stage.failed).collect(),
            sinks.iter().map(|sink| sink.failed).collect(),
        ]);
        let dead = sum([
            sources.iter().map(|source| source.dead).collect(),
            stages.iter().map(|stage| stage.dead).collect(),
            sinks.iter().map(|sink| sink.dead).collect(),
        ]);
        let [filtered, failed, dead] = [filtered, failed, dead].map(grouped);
        writeln!(out, "  filtered {filtered}, failed {failed}, dead-lettered {dead}")?;
        let of_sources = progress.sources.iter().map(|source| (&source.name, &source.errors));
        for (name, errors) in of_sources.chain(progress.stages.iter().map(|stage| (&stage.name, &stage.errors))) {
            if !errors.is_empty() {
                let by_code = errors.iter().map(|(code, count)| format!("{} {}", grouped(*count), clean(code)));
                writeln!(out, "  {} failed on {}", clean(name), by_code.collect::<Vec<_>>().join(", "))?;
            }
        }
        writeln!(
            out,
            "  committed {} in {} commit{}, {} not yet{}",
            grouped(progress.committed_records),
            grouped(progress.commits),
            if progress.commits == 1 { "" } else { "s" },
            grouped(progress.uncommitted_records),
            if seen.commit_ms.is_none() { " (commits when it ends)" } else { "" },
        )?;
        for source in &progress.sources {
            if let Some(what) = &source.waits_for {
                writeln!(out, "  {} waits for {}", clean(&source.name), clean(what))?;
            }
            if source.out_of_range > 0 {
                let (name, times) = (clean(&source.name), grouped(source.out_of_range));
                writeln!(
                    out,
                    "  {name} continued at another position {times} times because positions were out of range"
                )?;
            }
            if source.read_anew > 0 {
                let (name, times) = (clean(&source.name), grouped(source.read_anew));
                writeln!(out, "  {name} read changed files from the beginning {times} times")?;
            }
        }
        let again = if progress.restarts > 0 { ": records that were read again count again" } else { "" };
        writeln!(out, "  restarts {}{again}", progress.restarts)?;
        if let Some((worker, given_up)) = self.all.worker(found) {
            show_worker(out, worker, given_up)?;
        }
        let sinks: Vec<_> = (progress.sinks.iter())
            .map(|sink| {
                [clean(&sink.name), grouped(sink.records), ByteCount(sink.bytes).to_string(), grouped(sink.files)]
            })
            .collect();
        let headings =
            [("SINK", Align::Left), ("WRITTEN", Align::Right), ("SIZE", Align::Right), ("FILES", Align::Right)];
        table(out, headings, &sinks)?;
        let offset = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        let position = |position: Option<i64>, to_end: bool| if to_end { "end".to_owned() } else { offset(position) };
        let partitions = progress.sources.iter().flat_map(|source| {
            source.partitions.iter().map(|place| {
                [
                    clean(&source.name),
                    format!("{} [{}]", clean(&place.origin), place.number),
                    position(place.read, place.read_to_end),
                    position(place.committed, place.done),
                    offset(place.end),
                    offset(place.lag),
                ]
            })
        });
        let partitions: Vec<_> = partitions.collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let headings = [
            ("SOURCE", Align::Left),
            ("PARTITION", Align::Left),
            ("READ", Align::Right),
            ("COMMITTED", Align::Right),
            ("END", Align::Right),
            ("LAG", Align::Right),
        ];
        table(out, headings, &partitions)
    }
}

/// The process that a query runs in, and what keeps it from others.
fn show_worker(out: &mut impl Write, worker: &WorkerReport, given_up: &[String]) -> std::io::Result<()> {
    let process = worker.pid.map_or_else(|| "no process".to_owned(), |pid| format!("pid {pid}"));
    let descriptors = worker.descriptors.map_or_else(|| "?".to_owned(), grouped);
    writeln!(
        out,
        "  worker {} ({process}): {}, {:.1} s of CPU, {}, {} threads, {descriptors} descriptors, started again {} times",
        worker.worker,
        clean(&worker.state),
        worker.cpu_ms as f64 / 1e3,
        ByteCount(worker.memory_bytes),
        grouped(worker.threads),
        grouped(worker.restarts),
    )?;
    if let Some(end) = &worker.last_end {
        let words = if worker.last_words.is_empty() { "" } else { "; it wrote: " };
        writeln!(out, "    its last process {}{words}{}", clean(end), clean(&worker.last_words))?;
    }
    let named = |holds: bool| {
        let walls = worker.walls.iter().filter(move |wall| wall.holds == holds);
        walls.map(|wall| clean(&wall.name)).collect::<Vec<_>>().join(", ")
    };
    let (holding, missing) = (named(true), named(false));
    let missing = if missing.is_empty() { missing } else { format!("; missing: {missing}") };
    let given_up = given_up.iter().map(|wall| clean(wall)).collect::<Vec<_>>().join(", ");
    let given_up = if given_up.is_empty() { given_up } else { format!("; given up: {given_up}") };
    if worker.lines_dropped > 0 || worker.is_throttled {
        let now = if worker.is_throttled { ", and it sends more than it may now" } else { "" };
        writeln!(out, "    {} of its lines were dropped{now}", grouped(worker.lines_dropped))?;
    }
    writeln!(out, "    walls: {}{missing}{given_up}", if holding.is_empty() { "none" } else { &holding })
}

/// What a query that does not run has left.
fn stopped(named: &Named) -> anyhow::Result<StateManifest> {
    let title = named.title();
    let folder = match &named.state {
        KeptState::Folder(folder) => folder,
        KeptState::Unknown => anyhow::bail!("{title} is not running; pass its file to see its state"),
        KeptState::Nowhere => {
            anyhow::bail!("{title} is not running and has no state: its file has no `delivery.state`")
        }
    };
    let manifest = weir_query::read_manifest(folder).with_context(|| format!("{title} is not running"));
    let manifest = manifest.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let at = clean(&folder.display().to_string());
    let manifest = manifest.with_context(|| format!("{title} is not running and has never committed to {at}"))?;
    if manifest.query != named.query || named.tenant.as_ref().is_some_and(|tenant| *tenant != manifest.tenant) {
        let (query, tenant) = (clean(&manifest.query), clean(&manifest.tenant));
        anyhow::bail!("{title} is not running, and {at} belongs to query `{query}` of tenant `{tenant}`");
    }
    Ok(manifest)
}

fn show_stopped(out: &mut impl Write, named: &Named, manifest: &StateManifest) -> std::io::Result<()> {
    let (query, tenant) = (clean(&manifest.query), clean(&manifest.tenant));
    writeln!(out, "query {query} of tenant {tenant}: not running")?;
    if let KeptState::Folder(folder) = &named.state {
        writeln!(out, "  state of its last commit in {}", clean(&folder.display().to_string()))?;
    }
    let plural = if manifest.commits == 1 { "" } else { "s" };
    let (records, commits) = (grouped(manifest.records), grouped(manifest.commits));
    writeln!(out, "  committed {records} in {commits} commit{plural}, in all runs")?;
    let places: Vec<_> = (manifest.sources.iter())
        .flat_map(|source| source.partitions.iter().map(move |place| (source, place)))
        .map(|(source, place)| {
            let next = if place.next == Positions::END { "end".to_owned() } else { place.next.to_string() };
            [clean(&source.source), format!("{} [{}]", clean(&place.origin), place.number), next]
        })
        .collect();
    if places.is_empty() {
        return Ok(());
    }
    table(out, [("SOURCE", Align::Left), ("PARTITION", Align::Left), ("GOES ON AT", Align::Right)], &places)
}

fn stopped_json(named: &Named, manifest: &StateManifest) -> Value {
    let folder = match &named.state {
        KeptState::Folder(folder) => Some(folder.display().to_string()),
        KeptState::Unknown | KeptState::Nowhere => None,
    };
    let sources: Vec<Value> = (manifest.sources.iter())
        .map(|source| {
            let partitions: Vec<Value> = (source.partitions.iter())
                .map(|place| {
                    let done = place.next == Positions::END;
                    let committed = if done { None } else { Some(place.next) };
                    json!({ "origin": place.origin, "number": place.number, "committed": committed, "done": done })
                })
                .collect();
            json!({ "name": source.source, "partitions": partitions })
        })
        .collect();
    json!({
        "query": manifest.query,
        "tenant": manifest.tenant,
        "running": false,
        "state": folder,
        "commits": manifest.commits,
        "committed_records": manifest.records,
        "sources": sources,
    })
}

/// `12.3 s`, `4 min 05 s`, `3 h 07 min`, `2 d 03 h`.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let times = [0, 59_940, 60_000, 3_600_000, 90_061_000].map(|ms| time(Duration::from_millis(ms)));
        assert_eq!(times, ["0.0 s", "59.9 s", "1 min 00 s", "1 h 00 min", "1 d 01 h"]);
    }
}
