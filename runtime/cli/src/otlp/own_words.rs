//! The runtime's own warnings and errors, heard where they are said: at the one subscriber of the process.

use std::fmt::{self, Write};
use std::sync::{PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use weir_text::{Escaping, escape_within};

/// A text of a record is cut after this number of bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Something that the runtime has said.
pub(super) struct OwnLine {
    pub(super) error: bool,
    /// Without control characters, as all of its fields.
    pub(super) text: String,
    pub(super) fields: Vec<(String, String)>,
}

type Listener = Box<dyn Fn(OwnLine) + Send + Sync>;

/// Who listens. The subscriber is there before anybody knows whether somebody will.
static LISTENER: RwLock<Option<Listener>> = RwLock::new(None);

/// From now on lines go to this one, which neither blocks nor warns of more than its first loss.
pub(super) fn listen(listener: impl Fn(OwnLine) + Send + Sync + 'static) {
    *LISTENER.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(listener));
}

pub(super) fn listen_no_more() {
    *LISTENER.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Hears what is said with the level warn or error, but for guests' lines, which come by themselves, and for what is said
/// of exports, which would be about itself.
pub(crate) struct OwnWords;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for OwnWords {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut said = Said::default();
        attributes.record(&mut said);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let exports = module_path!().strip_suffix("::own_words").unwrap_or(module_path!());
        let about_itself = metadata.target().starts_with(exports);
        if *metadata.level() > Level::WARN || metadata.target() == "guest" || about_itself {
            return;
        }
        let listener = LISTENER.read().unwrap_or_else(PoisonError::into_inner);
        let Some(listener) = &*listener else { return };
        let mut said = Said::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Said>() {
                said.fields.extend(of_span.fields.iter().cloned());
            }
        }
        event.record(&mut said);
        // Twice where a warning and its span both say whose it is.
        let mut fields: Vec<(String, String)> = Vec::with_capacity(said.fields.len());
        for (name, value) in said.fields {
            if !fields.iter().any(|(known, _)| *known == name) {
                fields.push((name, value));
            }
        }
        listener(OwnLine { error: *metadata.level() == Level::ERROR, text: said.text, fields });
    }
}

/// The fields of an event or of a span.
#[derive(Default)]
struct Said {
    text: String,
    fields: Vec<(String, String)>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut said = Escaping::new(TEXT_BYTES_MAX);
        // An error says that there was too much of it; what there is until then is kept.
        let _cut = write!(said, "{value:?}").is_err();
        let said = said.into_text();
        match field.name() {
            "message" => self.text = said,
            name @ ("tenant" | "query" | "stage") => self.fields.push((format!("weir.{name}"), said)),
            name => self.fields.push((name.to_owned(), said)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Text from outside, fit to be said.
pub(super) fn cleaned(text: &str) -> String {
    escape_within(text, TEXT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_escaped_and_what_is_long_is_cut() {
        assert_eq!(cleaned("a\u{1b}[31m\n\0\u{202e}'é'"), "a\\u{1b}[31m\\n\\0\\u{202e}'é'");
        let long = cleaned(&"\0".repeat(TEXT_BYTES_MAX));
        assert!(long.len() == TEXT_BYTES_MAX && long.ends_with("\\0"));
    }
}
