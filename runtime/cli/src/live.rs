//! Progress on standard error while a query runs.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tokio::task::JoinHandle;
use weir_admin::{Pace, percent};
use weir_query::{Progress, QueryState, RunningQuery, TopColumn};
use weir_text::{ByteCount, Count, Rate};

use crate::drawing::Drawing;
use crate::exit::say_json;
use crate::name::{Name, named};

/// The most drawings a second, of all lines together.
const DRAWINGS_PER_SECOND: u8 = 20;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Not at all.
    Nothing,
    /// A line that is drawn over itself.
    Line,
    /// A JSON object a second.
    Json,
}

impl Show {
    /// A line only where somebody watches and where it does not run into the query's own rows.
    pub(crate) fn choose(quiet: bool, json: bool, rows_on_stdout: bool) -> Show {
        let rows_on_screen = rows_on_stdout && std::io::stdout().is_terminal();
        match (quiet, json) {
            (true, _) => Show::Nothing,
            (false, true) => Show::Json,
            (false, false) if std::io::stderr().is_terminal() && !rows_on_screen => Show::Line,
            (false, false) => Show::Nothing,
        }
    }
}

/// Where progress is shown: a line a query.
pub(crate) struct Screen {
    show: Show,
    lines: MultiProgress,
}

impl Screen {
    pub(crate) fn new(show: Show) -> Screen {
        let drawn = ProgressDrawTarget::term_like_with_hz(Box::new(Drawing::default()), DRAWINGS_PER_SECOND);
        Screen { show, lines: MultiProgress::with_draw_target(drawn) }
    }

    /// Shows the progress of a query until what this returns is dropped.
    pub(crate) fn watch(&self, query: Arc<dyn RunningQuery>, name: Option<Name>) -> Watch {
        let bar = (self.show == Show::Line).then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.lines.add(ProgressBar::new_spinner().with_style(style))
        });
        Watch { task: tokio::spawn(watch(query, name, self.show, bar.clone())), bar }
    }

    /// Says something while no line is drawn.
    pub(crate) fn suspend(&self, say: impl FnOnce()) {
        self.lines.suspend(say);
    }
}

/// The progress of one query on the screen; dropped, it is taken off, and the query's summary comes in its place.
pub(crate) struct Watch {
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// Shows progress until it is aborted; never ends by itself.
async fn watch(query: Arc<dyn RunningQuery>, name: Option<Name>, show: Show, bar: Option<ProgressBar>) {
    let every = match show {
        Show::Nothing => return std::future::pending().await,
        Show::Line => Duration::from_millis(200),
        Show::Json => Duration::from_secs(1),
    };
    let started = Instant::now();
    let mut ticks = tokio::time::interval(every);
    ticks.tick().await;
    let mut before = (Instant::now(), query.progress());
    let mut pace = Pace::default();
    loop {
        ticks.tick().await;
        let now = (Instant::now(), query.progress());
        let seconds = now.0.duration_since(before.0).as_secs_f64().max(1e-6);
        let left = pace.left(now.0, now.1.share_read());
        // A worker that was started again counts from zero.
        let rate = totals(&now.1).read.saturating_sub(totals(&before.1).read) as f64 / seconds;
        match &bar {
            Some(bar) => {
                let of = name.as_ref().map(|name| format!("{} ({}): ", name.query, name.tenant)).unwrap_or_default();
                bar.set_message(format!("{of}{}", line(&now.1, rate, left)));
                bar.tick();
            }
            None => {
                let elapsed = started.elapsed().as_secs_f64();
                let mut said = json!({ "progress": now.1, "elapsed": elapsed, "records_per_second": rate });
                if let Some(share) = now.1.share_read() {
                    said["percent"] = percent(share).into();
                }
                if let Some(left) = left {
                    said["seconds_left"] = left.as_secs().into();
                }
                say_json(&named(name.as_ref(), said));
            }
        }
        before = now;
    }
}

struct Totals {
    read: u64,
    bytes: u64,
    written: u64,
    errors: u64,
    held_back_ms: u64,
    instance_wait_ms: u64,
    lag: Option<i64>,
}

/// A sum of counters, which may come from a worker that was taken over.
fn sum(counters: impl Iterator<Item = u64>) -> u64 {
    counters.fold(0, u64::saturating_add)
}

fn totals(progress: &Progress) -> Totals {
    Totals {
        read: sum(progress.sources.iter().map(|source| source.records)),
        bytes: sum(progress.sources.iter().map(|source| source.bytes)),
        written: sum(progress.sinks.iter().map(|sink| sink.records)),
        errors: sum((progress.sources.iter().map(|source| source.total(TopColumn::Errors)))
            .chain(progress.stages.iter().map(|stage| stage.total(TopColumn::Errors)))
            .chain(progress.sinks.iter().map(|sink| sink.total(TopColumn::Errors)))),
        held_back_ms: sum(progress.stages.iter().map(|stage| stage.held_back_ms)),
        instance_wait_ms: sum(progress.stages.iter().map(|stage| stage.instance_wait_ms)),
        lag: (progress.sources.iter().flat_map(|source| &source.partitions))
            .filter_map(|partition| partition.lag)
            .reduce(i64::saturating_add),
    }
}

/// `, 42 %, 3 s left`; nothing where the input's size is not known.
fn share_text(share: Option<f64>, left: Option<Duration>) -> String {
    let Some(share) = share else { return String::new() };
    let left = left.map(|left| format!(", {} left", time_left(left))).unwrap_or_default();
    format!(", {} %{left}", percent(share))
}

/// A time that is estimated: `3 s`, `2 min 10 s`, `1 h 05 min`, `3 d`.
pub(crate) fn time_left(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{} s", seconds.max(1)),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `1,234,000 in (5.10 M rec/s, 12.0 MB, 42 %, 3 s left), 3,400 out, 0 errors, 1,200,000 committed`, after the state where that is not
/// running, with the part that was read and the time that the rest takes where the input's size is known, and before what is left to do, where that is known, and what it waited for, if it did: `, lag 1,200`,
/// `, held back 2,550 ms`, `, waited 120 ms for instances`.
fn line(progress: &Progress, rate: f64, left: Option<Duration>) -> String {
    let totals = totals(progress);
    let state = match progress.state {
        QueryState::Running => String::new(),
        state => format!("{}: ", state.name()),
    };
    let mut text = format!(
        "{state}{} in ({}, {}{}), {} out, {} errors, {} committed",
        grouped(totals.read),
        Rate(rate),
        ByteCount(totals.bytes),
        share_text(progress.share_read(), left),
        grouped(totals.written),
        grouped(totals.errors),
        grouped(progress.committed_records)
    );
    if let Some(lag) = totals.lag {
        text.push_str(&format!(", lag {}", grouped(lag.unsigned_abs())));
    }
    if totals.held_back_ms > 0 {
        text.push_str(&format!(", held back {} ms", grouped(totals.held_back_ms)));
    }
    if totals.instance_wait_ms > 0 {
        text.push_str(&format!(", waited {} ms for instances", grouped(totals.instance_wait_ms)));
    }
    text
}

/// The number with a comma after each thousand.
pub(crate) fn grouped(number: u64) -> String {
    Count(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_the_state_and_what_is_left_where_that_is_known() {
        use weir_query::{PartitionProgress, SourceProgress};
        let partition = |lag| {
            let mut partition = PartitionProgress::default();
            partition.lag = lag;
            partition
        };
        let source = |lags: &[Option<i64>]| {
            let mut source = SourceProgress::default();
            source.records = 7;
            source.partitions = lags.iter().copied().map(partition).collect();
            source
        };
        let mut progress = Progress::default();
        progress.sources = vec![source(&[None])];
        progress.committed_records = 5;
        progress.state = QueryState::Running;
        let plain = "7 in (0 rec/s, 0 B), 0 out, 0 errors, 5 committed";
        assert_eq!(line(&progress, 0.0, None), plain);
        progress.state = QueryState::Paused;
        progress.sources = vec![source(&[Some(1200), None]), source(&[Some(34)])];
        assert_eq!(line(&progress, 0.0, None), format!("paused: {}, lag 1,234", plain.replacen("7", "14", 1)));
        let mut source = SourceProgress::default();
        source.records = u64::MAX;
        let mut lie = progress.clone();
        lie.sources = vec![source.clone(), source];
        assert_eq!(totals(&lie).read, u64::MAX);
        progress.state = QueryState::Retrying;
        assert!(line(&progress, 0.0, None).starts_with("retrying: 14 in "));
    }

    #[test]
    fn the_part_that_was_read_and_the_time_that_is_left() {
        let check = |share: Option<f64>, left_ms: Option<u64>, expect: &str| {
            assert_eq!(share_text(share, left_ms.map(Duration::from_millis)), expect);
        };
        check(None, None, "");
        check(Some(0.0), None, ", 0 %");
        check(Some(0.429), Some(3_400), ", 42 %, 3 s left");
        check(Some(0.9999), Some(10), ", 99 %, 1 s left");
        check(Some(0.5), Some(130_000), ", 50 %, 2 min 10 s left");
        check(Some(0.01), Some(3_900_000), ", 1 %, 1 h 05 min left");
        check(Some(0.01), Some(3 * 86_400_000), ", 1 %, 3 d left");
        check(Some(1.0), None, ", 100 %");
    }

    #[test]
    fn the_time_that_is_left_follows_the_pace_of_late() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut left = |seconds: f64, share: f64| {
            let left = pace.left(start + Duration::from_secs_f64(seconds), Some(share));
            left.map(|left| left.as_secs_f64().round())
        };
        assert_eq!(left(0.0, 0.0), None, "nothing to go by");
        assert_eq!(left(0.2, 0.1), None, "too little time");
        assert_eq!(left(1.0, 0.1), Some(9.0));
        assert_eq!(left(2.0, 0.1), Some(18.0), "it stands still");
        assert_eq!(left(100.0, 0.2), Some(784.0), "of the last look before the window");
        assert_eq!(left(101.0, 0.1), None, "back to the last commit");
        assert_eq!(left(102.0, 0.3), Some(4.0));
        assert_eq!(left(103.0, 1.0), None, "done");
        assert_eq!(Pace::default().left(start, None), None);
    }
}
