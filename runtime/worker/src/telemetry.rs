//! Spans and lines of functions: from a worker's queries to whoever exports and shows them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bincode::{Decode, Encode};
use tokio::sync::Notify;
use weir_batch::TraceContext;
use weir_frame::{FromWorker, QueryId};
use weir_query::{GuestLine, LogExporter, Speaker};
use weir_sandbox::LogLevel;
use weir_trace::{LINKS_MAX, Span, SpanExporter, SpanKind, SpanValue};

use crate::socket::Sender;
use crate::{WorkerError, form};

/// Spans, and lines, that wait to be sent. Those beyond are dropped and counted, as by OpenTelemetry's exporters.
const WAITING_MAX: usize = 2_048;

/// Spans, and lines, of one frame. A line has 64 KiB at most, the longest that a limits file can allow.
const AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 512 << 10;

/// A text of a span or line that is longer is cut by whoever takes it.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The longest text of an attribute, and of an error, that a worker sends: a span fits into a frame in any case.
const NAME_BYTES_MAX: usize = 1 << 10;
const ERROR_BYTES_MAX: usize = 16 << 10;

/// Attributes of a span.
const ATTRIBUTES_MAX: usize = 64;

/// Names of spans, and of their attributes. Sent as numbers: whoever takes them knows no others.
const NAMES: &[&str] = &["weir.batch", "weir.source", "weir.stage", "weir.sink", "weir.commit"];
const KEYS: &[&str] = &[
    "weir.tenant",
    "weir.query",
    "weir.source",
    "weir.stage",
    "weir.function",
    "weir.sink",
    "weir.guarantee",
    "weir.records",
    "weir.records.in",
    "weir.records.out",
    "weir.records.failed",
    "weir.traceparent.malformed",
    "messaging.system",
    "messaging.consumer.group.name",
    "messaging.destination.name",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.batch.message_count",
];

#[derive(Encode, Decode)]
struct ContextForm {
    trace: [u8; 16],
    span: [u8; 8],
}

#[derive(Encode, Decode)]
enum ValueForm {
    Text(String),
    Number(i64),
}

#[derive(Encode, Decode)]
struct SpanForm {
    context: ContextForm,
    parent: Option<[u8; 8]>,
    name: u8,
    kind: u8,
    start_ns: u64,
    end_ns: u64,
    attributes: Vec<(u8, ValueForm)>,
    links: Vec<ContextForm>,
    links_dropped: u32,
    error: Option<String>,
}

#[derive(Encode, Decode)]
struct LineForm {
    stage: String,
    module: String,
    function: String,
    time_ns: u64,
    level: u8,
    text: String,
    dropped: Option<u64>,
    trace: Option<ContextForm>,
}

#[derive(Default, Encode, Decode)]
struct TelemetryForm {
    spans: Vec<SpanForm>,
    lines: Vec<LineForm>,
    spans_lost: u64,
    lines_lost: u64,
}

/// What a worker said of a query's work: the bytes in [`Telemetry`](weir_frame::FromWorker::Telemetry).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct QueryTelemetry {
    /// Finished spans.
    pub spans: Vec<Span>,
    /// Lines of functions, not escaped.
    pub lines: Vec<GuestLine>,
    /// Spans that the worker had no room for.
    pub spans_lost: u64,
    /// Lines that it had no room for.
    pub lines_lost: u64,
}

impl QueryTelemetry {
    /// Decodes what the worker of this query has sent. It may have been taken over: tenant and query are those given here, names are
    /// known ones, texts are cut, and what no query can have made is left out.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`].
    pub fn from_bytes(bytes: &[u8], tenant: &str, query: &str) -> Result<QueryTelemetry, WorkerError> {
        let TelemetryForm { spans, lines, spans_lost, lines_lost } = form::decode("spans and lines", bytes)?;
        let spans = spans.into_iter().filter_map(|span| span_of(span, tenant, query)).collect();
        let lines = lines.into_iter().filter_map(|line| line_of(line, tenant, query)).collect();
        Ok(QueryTelemetry { spans, lines, spans_lost, lines_lost })
    }
}

fn cut(text: String) -> String {
    cut_to(text, TEXT_BYTES_MAX)
}

fn cut_to(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn context_of(form: &ContextForm) -> Option<TraceContext> {
    TraceContext::new(form.trace, form.span, true)
}

fn time_of(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn span_of(form: SpanForm, tenant: &str, query: &str) -> Option<Span> {
    let context = context_of(&form.context)?;
    let name = NAMES.get(usize::from(form.name))?;
    let kind = match form.kind {
        0 => SpanKind::Internal,
        1 => SpanKind::Client,
        2 => SpanKind::Consumer,
        _ => return None,
    };
    let start = time_of(form.start_ns);
    let mut span = Span::new(context, name, kind, start, time_of(form.end_ns).max(start));
    span.parent = form.parent;
    for (key, value) in form.attributes.into_iter().take(ATTRIBUTES_MAX) {
        let key = KEYS.get(usize::from(key))?;
        let value = match (*key, value) {
            ("weir.tenant", _) => SpanValue::from(tenant),
            ("weir.query", _) => SpanValue::from(query),
            (_, ValueForm::Text(text)) => SpanValue::from(cut(text).as_str()),
            (_, ValueForm::Number(number)) => SpanValue::Number(number),
        };
        span.attributes.push((key, value));
    }
    span.links = form.links.iter().take(LINKS_MAX).filter_map(context_of).collect();
    span.links_dropped = form.links_dropped;
    span.error = form.error.map(cut);
    Some(span)
}

fn form_of_span(span: Span) -> Option<SpanForm> {
    let position = |all: &[&str], name: &str| {
        let position = all.iter().position(|known| *known == name).and_then(|position| u8::try_from(position).ok());
        debug_assert!(position.is_some(), "no number for {name}");
        position
    };
    let attributes = span.attributes.into_iter().filter_map(|(name, value)| {
        let value = match value {
            SpanValue::Text(text) => ValueForm::Text(cut_to(text.to_string(), NAME_BYTES_MAX)),
            SpanValue::Number(number) => ValueForm::Number(number),
        };
        Some((position(KEYS, name)?, value))
    });
    Some(SpanForm {
        context: form_of_context(span.context),
        parent: span.parent,
        name: position(NAMES, span.name)?,
        kind: match span.kind {
            SpanKind::Internal => 0,
            SpanKind::Client => 1,
            SpanKind::Consumer => 2,
        },
        start_ns: nanos(span.start),
        end_ns: nanos(span.end),
        attributes: attributes.collect(),
        links: span.links.into_iter().map(form_of_context).collect(),
        links_dropped: span.links_dropped,
        error: span.error.map(|error| cut_to(error, ERROR_BYTES_MAX)),
    })
}

fn form_of_context(context: TraceContext) -> ContextForm {
    ContextForm { trace: context.trace_id(), span: context.span_id() }
}

fn line_of(form: LineForm, tenant: &str, query: &str) -> Option<GuestLine> {
    let level = match form.level {
        0 => LogLevel::Error,
        1 => LogLevel::Warn,
        2 => LogLevel::Info,
        3 => LogLevel::Debug,
        _ => return None,
    };
    let [stage, module, function] =
        [form.stage, form.module, form.function].map(|name| weir_text::escape_to(&name, 256));
    let speaker = Arc::new(Speaker::new(tenant, query, &stage, &module, &function));
    // The sandbox has escaped it, and a process that was taken over has not.
    let text = weir_text::escape(&cut(form.text)).to_string();
    let mut line = GuestLine::new(speaker, time_of(form.time_ns), level, text);
    line.dropped = form.dropped;
    line.trace = form.trace.as_ref().and_then(context_of);
    Some(line)
}

fn form_of_line(line: GuestLine) -> LineForm {
    LineForm {
        stage: line.speaker.stage.to_string(),
        module: line.speaker.module.to_string(),
        function: line.speaker.function.to_string(),
        time_ns: nanos(line.time),
        level: match line.level {
            LogLevel::Error => 0,
            LogLevel::Warn => 1,
            LogLevel::Info => 2,
            LogLevel::Debug => 3,
        },
        text: line.text,
        dropped: line.dropped,
        trace: line.trace.map(form_of_context),
    }
}

/// What a query's tasks hand over, until it is sent.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<TelemetryForm>,
    // Held while frames are sent: the last ones come after those of a task that was aborted in the middle of it.
    turn: Mutex<()>,
    more: Notify,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, TelemetryForm> {
        // Every change is one push or count.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next frame's worth; `None` where nothing waits.
    fn take(&self) -> Option<TelemetryForm> {
        let mut waiting = self.waiting();
        let TelemetryForm { spans, lines, spans_lost, lines_lost } = &mut *waiting;
        if spans.is_empty() && lines.is_empty() && *spans_lost == 0 && *lines_lost == 0 {
            return None;
        }
        let mut bytes = 0_usize;
        let mut fits = |more: usize| {
            bytes = bytes.saturating_add(more);
            bytes <= BYTES_AT_ONCE
        };
        let of_text = |(_, value): &(u8, ValueForm)| match value {
            ValueForm::Text(text) => 64 + text.len(),
            ValueForm::Number(_) => 64,
        };
        let of_span = |span: &SpanForm| {
            let texts = span.attributes.iter().map(of_text).sum::<usize>() + span.error.as_ref().map_or(0, String::len);
            256 + texts + 32 * span.links.len()
        };
        let spans_now = spans.iter().take(AT_ONCE).take_while(|span| fits(of_span(span))).count();
        let lines_now = lines.iter().take(AT_ONCE).take_while(|line| fits(512 + line.text.len())).count();
        Some(TelemetryForm {
            spans: spans.drain(..spans_now).collect(),
            lines: lines.drain(..lines_now).collect(),
            spans_lost: std::mem::take(spans_lost),
            lines_lost: std::mem::take(lines_lost),
        })
    }

    /// Sends what waits, and waits for the supervisor where that is slow. Blocks.
    pub(crate) fn send(&self, query: QueryId, sender: &Sender) -> Result<(), WorkerError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(taken) = self.take() {
            let bytes = form::encode("spans and lines", taken)?;
            sender.send(&FromWorker::Telemetry { query, bytes }, &[])?;
        }
        Ok(())
    }

    /// Sends whatever comes, until it is aborted.
    pub(crate) async fn keep_sending(self: Arc<Outbox>, query: QueryId, sender: Sender) {
        loop {
            self.more.notified().await;
            let (outbox, sender) = (Arc::clone(&self), sender.clone());
            if !matches!(tokio::task::spawn_blocking(move || outbox.send(query, &sender)).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

impl SpanExporter for Outbox {
    fn export(&self, span: Span) {
        let mut waiting = self.waiting();
        match form_of_span(span) {
            Some(span) if waiting.spans.len() < WAITING_MAX => waiting.spans.push(span),
            _ => waiting.spans_lost = waiting.spans_lost.saturating_add(1),
        }
        drop(waiting);
        self.more.notify_one();
    }
}

impl LogExporter for Outbox {
    fn export(&self, line: GuestLine) {
        let mut waiting = self.waiting();
        if waiting.lines.len() < WAITING_MAX {
            waiting.lines.push(form_of_line(line));
        } else {
            waiting.lines_lost = waiting.lines_lost.saturating_add(1);
        }
        drop(waiting);
        self.more.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(span: SpanForm, line: LineForm) -> Vec<u8> {
        form::encode("it", TelemetryForm { spans: vec![span], lines: vec![line], spans_lost: 3, lines_lost: 4 })
            .unwrap()
    }

    fn context(of: u8) -> ContextForm {
        ContextForm { trace: [of; 16], span: [of; 8] }
    }

    fn span() -> SpanForm {
        let text = |text: &str| ValueForm::Text(text.to_owned());
        SpanForm {
            context: context(1),
            parent: Some([2; 8]),
            name: 2,
            kind: 0,
            start_ns: 5_000,
            end_ns: 1_000,
            attributes: vec![(0, text("beta")), (1, text("other")), (3, text("late")), (8, ValueForm::Number(7))],
            links: (0..100).map(context).collect(),
            links_dropped: 9,
            error: Some("it failed".to_owned()),
        }
    }

    fn line() -> LineForm {
        LineForm {
            stage: "la\nte".to_owned(),
            module: "ab".to_owned(),
            function: "f".to_owned(),
            time_ns: 7,
            level: 1,
            text: "\u{1b}[2Jgone\n".to_owned(),
            dropped: Some(2),
            trace: Some(context(0)),
        }
    }

    #[test]
    fn a_worker_speaks_for_its_own_query_whatever_it_says() {
        let got = QueryTelemetry::from_bytes(&bytes(span(), line()), "acme", "q").unwrap();
        let span = &got.spans[0];
        let of = |name: &str| span.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        assert_eq!((of("weir.tenant"), of("weir.query")), (Some("acme".into()), Some("q".into())));
        assert_eq!((of("weir.stage"), of("weir.records.in")), (Some("late".into()), Some(SpanValue::Number(7))));
        assert_eq!((span.name, span.links.len(), span.links_dropped), ("weir.stage", LINKS_MAX - 1, 9));
        assert_eq!(span.start, span.end, "no span ends before it begins");
        let line = &got.lines[0];
        assert_eq!((&*line.speaker.tenant, &*line.speaker.query, &*line.speaker.stage), ("acme", "q", "la\\nte"));
        assert_eq!((line.text.as_str(), line.level, line.trace), ("\\u{1b}[2Jgone\\n", LogLevel::Warn, None));
        assert_eq!((got.spans_lost, got.lines_lost), (3, 4));
    }

    #[test]
    fn what_no_query_can_have_made_is_left_out() {
        let wrong_spans = [
            SpanForm { name: 200, ..span() },
            SpanForm { kind: 9, ..span() },
            SpanForm { context: context(0), ..span() },
            SpanForm { attributes: vec![(250, ValueForm::Number(1))], ..span() },
        ];
        for wrong in wrong_spans {
            let got = QueryTelemetry::from_bytes(&bytes(wrong, LineForm { level: 8, ..line() }), "acme", "q").unwrap();
            assert!(got.spans.is_empty() && got.lines.is_empty());
        }
        let right = bytes(span(), line());
        for cut in 0..right.len() {
            assert!(QueryTelemetry::from_bytes(&right[..cut], "acme", "q").is_err(), "{cut}");
        }
        assert!(QueryTelemetry::from_bytes(&(1_u64 << 60).to_le_bytes(), "acme", "q").is_err());
    }

    #[test]
    fn what_is_beyond_the_room_is_counted() {
        let outbox = Outbox::default();
        let speaker = Arc::new(Speaker::new("t", "q", "s", "m", "f"));
        for _ in 0..WAITING_MAX + 5 {
            let line = GuestLine::new(Arc::clone(&speaker), UNIX_EPOCH, LogLevel::Info, "x".repeat(1_000));
            LogExporter::export(&outbox, line);
        }
        let (mut frames, mut lines, mut lost) = (0, 0, 0);
        while let Some(taken) = outbox.take() {
            frames += 1;
            lines += taken.lines.len();
            lost += taken.lines_lost;
            assert!(form::encode("it", taken).unwrap().len() <= 1 << 20);
        }
        assert_eq!((lines, lost), (WAITING_MAX, 5));
        assert!(frames >= WAITING_MAX / AT_ONCE);
    }
}
