//! Progress on standard error while a query runs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use weir_query::{Progress, QueryHandle};

use crate::exit::say;

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

/// Shows progress until it is dropped or aborted; never ends by itself.
pub(crate) async fn show(handle: QueryHandle, show: Show) {
    let every = match show {
        Show::Nothing => return std::future::pending().await,
        Show::Line => Duration::from_millis(200),
        Show::Json => Duration::from_secs(1),
    };
    let started = Instant::now();
    let bar = (show == Show::Line).then(|| {
        let style =
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        ProgressBar::new_spinner().with_style(style)
    });
    let mut ticks = tokio::time::interval(every);
    ticks.tick().await;
    let mut before = (Instant::now(), handle.progress());
    loop {
        ticks.tick().await;
        let now = (Instant::now(), handle.progress());
        let seconds = now.0.duration_since(before.0).as_secs_f64().max(1e-6);
        let rate = (totals(&now.1).read - totals(&before.1).read) as f64 / seconds;
        match &bar {
            Some(bar) => {
                bar.set_message(line(&now.1, rate));
                bar.tick();
            }
            None => say(
                json!({ "progress": now.1, "elapsed": started.elapsed().as_secs_f64(), "records_per_second": rate }),
            ),
        }
        before = now;
    }
}

struct Totals {
    read: u64,
    bytes: u64,
    written: u64,
    errors: u64,
}

fn totals(progress: &Progress) -> Totals {
    Totals {
        read: progress.sources.iter().map(|source| source.records).sum(),
        bytes: progress.sources.iter().map(|source| source.bytes).sum(),
        written: progress.sinks.iter().map(|sink| sink.records).sum(),
        errors: progress.sources.iter().map(|source| source.failed + source.dead).sum::<u64>()
            + progress.stages.iter().map(|stage| stage.failed + stage.dead).sum::<u64>(),
    }
}

/// `1,234,000 in (5.1 M/s, 12.0 MB), 3,400 out, 0 errors, 1,200,000 committed`.
fn line(progress: &Progress, rate: f64) -> String {
    let totals = totals(progress);
    format!(
        "{} in ({:.2} M/s, {:.1} MB), {} out, {} errors, {} committed",
        grouped(totals.read),
        rate / 1e6,
        totals.bytes as f64 / 1e6,
        grouped(totals.written),
        grouped(totals.errors),
        grouped(progress.committed_records)
    )
}

/// The number with a comma after each thousand.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }
}
