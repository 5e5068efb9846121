//! What guests say: on its way to the terminal and to an exporter, and no more of it than anybody can read.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use weir_batch::TraceContext;
use weir_sandbox::{LogLevel, LogLine};

use super::counters::StageCounters;

/// Lines that a stage of a query may say in a second; further ones are dropped and counted. With a tenant's own limits
/// of a batch alone, a query of small batches could say as much as its guest likes.
const LINES_SECOND_MAX: u32 = 1_000;

const SECOND: Duration = Duration::from_secs(1);

/// Digits of a module's digest on the terminal.
const DIGEST_DIGITS: usize = 12;

/// Whose words a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Speaker {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The query.
    pub query: Arc<str>,
    /// The stage.
    pub stage: Arc<str>,
    /// The digest of the module, 64 hex digits.
    pub module: Arc<str>,
    /// The function.
    pub function: Arc<str>,
}

impl Speaker {
    /// The function of a stage, with the digest of its module.
    pub fn new(tenant: &str, query: &str, stage: &str, module: &str, function: &str) -> Speaker {
        let [tenant, query, stage, module, function] = [tenant, query, stage, module, function].map(Arc::from);
        Speaker { tenant, query, stage, module, function }
    }
}

/// A line that a guest has said, or the runtime of a guest's lines that were dropped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GuestLine {
    /// Whose it is.
    pub speaker: Arc<Speaker>,
    /// When it was taken from the guest: at the end of its call.
    pub time: SystemTime,
    /// How grave it is.
    pub level: LogLevel,
    /// One line: control characters are escaped, and it is no longer than the tenant's limit.
    pub text: String,
    /// How many lines were dropped, where the text says so; such a line is the runtime's.
    pub dropped: Option<u64>,
    /// The span of the stage that the guest was at work in, where the batch has one.
    pub trace: Option<TraceContext>,
}

impl GuestLine {
    /// A line without a span.
    pub fn new(speaker: Arc<Speaker>, time: SystemTime, level: LogLevel, text: String) -> GuestLine {
        GuestLine { speaker, time, level, text, dropped: None, trace: None }
    }

    /// Passes it on to `tracing`, with the target `guest`.
    pub fn log(&self) {
        let Speaker { tenant, stage, module, function, .. } = &*self.speaker;
        let (stage, tenant, function, text) = (&**stage, &**tenant, &**function, &self.text);
        let module = module.get(..DIGEST_DIGITS).unwrap_or(module);
        match self.level {
            LogLevel::Error => tracing::error!(target: "guest", stage, tenant, module, function, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "guest", stage, tenant, module, function, "{text}"),
            LogLevel::Info => tracing::info!(target: "guest", stage, tenant, module, function, "{text}"),
            LogLevel::Debug => tracing::debug!(target: "guest", stage, tenant, module, function, "{text}"),
        }
    }
}

/// Takes lines of guests. Called from the task that drives the stages: it must neither block nor fail, and drops what
/// it cannot keep.
pub trait LogExporter: Send + Sync {
    /// Takes one line.
    fn export(&self, line: GuestLine);
}

/// The log of one stage. When it is dropped, it reports the lines that were dropped and not reported yet.
pub(crate) struct GuestLog {
    speaker: Arc<Speaker>,
    exporter: Option<Arc<dyn LogExporter>>,
    // The second that `left` is of, from its first line on.
    since: Option<Instant>,
    left: u32,
    untold: u64,
}

impl GuestLog {
    pub(crate) fn new(speaker: Speaker, exporter: Option<Arc<dyn LogExporter>>) -> GuestLog {
        GuestLog { speaker: Arc::new(speaker), exporter, since: None, left: 0, untold: 0 }
    }

    /// Passes on what a call has said, escaped by the sandbox, which has `dropped` so many lines of it.
    pub(crate) fn report(
        &mut self,
        lines: Vec<LogLine>,
        dropped: u64,
        trace: Option<TraceContext>,
        counters: &StageCounters,
    ) {
        if lines.is_empty() && dropped == 0 && self.untold == 0 {
            return;
        }
        self.report_at(Instant::now(), lines, dropped, trace, counters);
    }

    fn report_at(
        &mut self,
        now: Instant,
        lines: Vec<LogLine>,
        mut dropped: u64,
        trace: Option<TraceContext>,
        counters: &StageCounters,
    ) {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= SECOND) {
            self.tell_dropped();
            (self.since, self.left) = (Some(now), LINES_SECOND_MAX);
        }
        for LogLine { level, text, .. } in lines {
            match self.left.checked_sub(1) {
                Some(left) => self.left = left,
                None => {
                    dropped = dropped.saturating_add(1);
                    continue;
                }
            }
            self.say(level, text, None, trace);
        }
        counters.logs_dropped.add(dropped);
        self.untold = self.untold.saturating_add(dropped);
    }

    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.untold);
        if dropped > 0 {
            let text = format!(
                "{dropped} log lines of this function were dropped because of its limits per batch and per second"
            );
            self.say(LogLevel::Warn, text, Some(dropped), None);
        }
    }

    fn say(&self, level: LogLevel, text: String, dropped: Option<u64>, trace: Option<TraceContext>) {
        let (speaker, time) = (Arc::clone(&self.speaker), SystemTime::now());
        let line = GuestLine { speaker, time, level, text, dropped, trace };
        line.log();
        if let Some(exporter) = &self.exporter {
            exporter.export(line);
        }
    }
}

impl Drop for GuestLog {
    fn drop(&mut self) {
        self.tell_dropped();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<GuestLine>>);

    impl LogExporter for Kept {
        fn export(&self, line: GuestLine) {
            self.0.lock().unwrap().push(line);
        }
    }

    #[test]
    fn lines_beyond_a_second_s_are_dropped_counted_and_told() {
        let kept = Arc::new(Kept::default());
        let name = || Arc::from("x");
        let speaker =
            Speaker { tenant: name(), query: name(), stage: name(), module: Arc::from("ab"), function: name() };
        let mut log = GuestLog::new(speaker, Some(Arc::clone(&kept) as Arc<dyn LogExporter>));
        let counters = &StageCounters::new(&"x".into());
        let lines = |count: u32| (0..count).map(|_| LogLine::new(LogLevel::Info, "said")).collect::<Vec<_>>();
        let start = Instant::now();
        log.report_at(start, lines(LINES_SECOND_MAX - 1), 2, None, counters);
        log.report_at(start + SECOND / 2, lines(3), 0, None, counters);
        assert_eq!((kept.0.lock().unwrap().len(), counters.logs_dropped.get()), (LINES_SECOND_MAX as usize, 4));
        // The next second has room again, and begins with what the last one had none for.
        log.report_at(start + SECOND, lines(1), 0, None, counters);
        let kept_now = kept.0.lock().unwrap().split_off(LINES_SECOND_MAX as usize);
        assert_eq!(kept_now.iter().map(|line| line.dropped).collect::<Vec<_>>(), [Some(4), None]);
        assert!(kept_now[0].text.starts_with("4 log lines of this function were dropped"), "{}", kept_now[0].text);
        assert_eq!(kept_now[0].level, LogLevel::Warn);
        log.report_at(start + SECOND, Vec::new(), 7, None, counters);
        drop(log);
        let last = kept.0.lock().unwrap().last().and_then(|line| line.dropped);
        assert_eq!((last, counters.logs_dropped.get()), (Some(7), 11));
    }
}
