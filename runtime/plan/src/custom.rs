//! Resolves drafts of custom sources and sinks.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_config::{CustomKeys, KeyPlace, OptionText, Problems, clip, suggest};
use weir_sinks::{CustomSink, SinkError};
use weir_sources::CustomSource;

use super::context::Context;

/// The source with this connector and these options.
pub(super) fn source(keys: &CustomKeys, cx: &Context<'_>) -> Option<CustomSource> {
    let options = options(keys, cx.problems);
    let (place, connector) = find(keys, &cx.connectors.sources, "source", cx.problems)?;
    let name = keys.connector.value.as_deref().unwrap_or_default();
    let source = CustomSource::new(name, connector, options?);
    match source.schema() {
        Ok(_) => Some(source),
        Err(reason) => {
            cx.problems.error(keys.options.place.as_ref().unwrap_or(&place), reason, "");
            None
        }
    }
}

/// The sink with this connector and these options.
pub(super) fn sink(keys: &CustomKeys, cx: &Context<'_>) -> Option<CustomSink> {
    let options = options(keys, cx.problems);
    let (place, connector) = find(keys, &cx.connectors.sinks, "sink", cx.problems)?;
    let name = keys.connector.value.as_deref().unwrap_or_default();
    let sink = CustomSink::new(name, connector, options?);
    match sink.validate() {
        Ok(()) => Some(sink),
        Err(SinkError::Config { reason, .. }) => {
            cx.problems.error(keys.options.place.as_ref().unwrap_or(&place), reason, "");
            None
        }
        Err(error) => {
            cx.problems.error(&place, error.to_string(), "");
            None
        }
    }
}

fn find<T: ?Sized>(
    keys: &CustomKeys,
    registered: &BTreeMap<String, Arc<T>>,
    what: &str,
    problems: &Problems,
) -> Option<(KeyPlace, Arc<T>)> {
    let (place, name) = keys.connector.given()?;
    if let Some(connector) = registered.get(name) {
        return Some((place.clone(), Arc::clone(connector)));
    }
    let help = match registered.is_empty() {
        true => format!("this program registers no {what}s: run the query in a program that does"),
        false => suggest(name, registered.keys().map(String::as_str), "registered are"),
    };
    problems.error(place, format!("no {what} is registered under the name `{}`", clip(name)), help);
    None
}

/// The options. Mistakes are reported whether or not the connector is registered.
fn options(keys: &CustomKeys, problems: &Problems) -> Option<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    let mut complete = true;
    for option in keys.options.value.iter().flatten() {
        match &option.value {
            OptionText::Text(text) => {
                options.insert(option.name.clone(), text.clone());
            }
            OptionText::Wrong { message, help, .. } => {
                // A mistake in `{ env = "NAME" }` has been reported already: then there is no message.
                if !message.is_empty() {
                    problems.error(&option.place, message.clone(), help.clone());
                }
                complete = false;
            }
        }
    }
    complete.then_some(options)
}
