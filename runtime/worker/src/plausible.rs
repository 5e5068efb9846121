//! What a query can have reported. Reports come from workers, which may have been taken over: they must not cost their readers more than
//! reports do, nor hold numbers that no query has.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_query::{Details, Durations, Progress};

/// Sources, stages and sinks of a query, each. A part takes thirty lines of `/metrics`.
const PARTS_MAX: usize = 1_000;

/// Codes of a part's errors: 64, and `other`.
const CODES_MAX: usize = 65;

/// Names of parts, and codes.
const NAME_BYTES_MAX: usize = 256;

/// What a source waits for.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Leaves out what no query reports.
pub(crate) fn progress(progress: &mut Progress) {
    parts(&mut progress.sources, |source| &source.name);
    parts(&mut progress.stages, |stage| &stage.name);
    parts(&mut progress.sinks, |sink| &sink.name);
    for source in &mut progress.sources {
        codes(&mut source.errors);
        source.waits_for = source.waits_for.take().filter(|text| text.len() <= TEXT_BYTES_MAX);
        if let Some(extent) = &mut source.extent {
            extent.read = extent.read.min(extent.of);
        }
    }
    for stage in &mut progress.stages {
        codes(&mut stage.errors);
        codes(&mut stage.state_losses);
    }
}

/// The same of details.
pub(crate) fn details(details: &mut Details) {
    parts(&mut details.stages, |stage| &stage.name);
    parts(&mut details.sinks, |sink| &sink.name);
    durations(&mut details.commits);
    for stage in &mut details.stages {
        codes(&mut stage.traps);
        durations(&mut stage.calls);
        durations(&mut stage.host);
    }
    for sink in &mut details.sinks {
        durations(&mut sink.writes);
        durations(&mut sink.flushes);
    }
}

fn parts<T>(parts: &mut Vec<T>, name: fn(&T) -> &Arc<str>) {
    parts.retain(|part| is_name(name(part)));
    parts.truncate(PARTS_MAX);
}

fn codes(codes: &mut BTreeMap<String, u64>) {
    codes.retain(|code, _| is_name(code));
    while codes.len() > CODES_MAX {
        codes.pop_last();
    }
}

fn durations(durations: &mut Durations) {
    if !durations.is_plausible() {
        *durations = Durations::default();
    }
}

/// Query files take other names in neither.
fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
