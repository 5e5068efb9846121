//! Log lines of a worker, as frames. What the supervisor does not take in time is dropped and counted: a worker never waits for its
//! log.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Layer};
use weir_frame::{FromWorker, LineLevel};

use crate::socket::Sender;

/// The longest line. The supervisor cuts and escapes it again.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Sends what is logged from here on to the supervisor.
pub(crate) fn to_supervisor(sender: Sender, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = Lines { sender, dropped: AtomicU64::new(0) };
    // A second logger of one process would be an error of this program; the first one stays.
    drop(tracing_subscriber::registry().with(lines.with_filter(filter)).try_init());
}

struct Lines {
    sender: Sender,
    dropped: AtomicU64,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        // Lines of functions go with their query.
        if event.metadata().target() == "guest" {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let mut text = line.message;
        text.push_str(&line.fields);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            text = format!("{text} ({dropped} earlier lines were dropped)");
        }
        text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
        let level = match *event.metadata().level() {
            Level::ERROR => LineLevel::Error,
            Level::WARN => LineLevel::Warn,
            Level::INFO => LineLevel::Info,
            Level::DEBUG | Level::TRACE => LineLevel::Debug,
        };
        let target = event.metadata().target().to_owned();
        if !matches!(self.sender.try_send(&FromWorker::Log { level, target, text }), Ok(true)) {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }
}

/// An event's message, and its fields as ` name=value`.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn add(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        let written = match name {
            "message" => self.message.write_fmt(value),
            name => write!(self.fields, " {name}={value}"),
        };
        debug_assert!(written.is_ok(), "writing to a string fails only where a value does");
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        self.add(field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), format_args!("{value}"));
    }
}
