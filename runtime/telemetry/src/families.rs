//! Families of samples. The Prometheus text and OTLP are both made from these.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The kind of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyKind {
    /// Never decreases while the process lives.
    Counter,
    /// Increases and decreases; sums over several series make sense. A gauge in Prometheus.
    UpDownCounter,
    Gauge,
    Histogram,
}

/// Families by their Prometheus names. The samples of a family stay together, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Families(pub(crate) BTreeMap<String, Family>);

pub(crate) struct Family {
    /// The name in OpenTelemetry: with dots, without the unit.
    pub(crate) name: String,
    pub(crate) kind: FamilyKind,
    pub(crate) help: Agreed<String>,
    pub(crate) unit: Agreed<Unit>,
    pub(crate) series: Vec<LabelledSample>,
}

/// One sample with its labels.
pub(crate) struct LabelledSample {
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) reading: Sample,
}

pub(crate) enum Sample {
    Number(Value),
    /// Buckets are not cumulative; there is one more than there are bounds.
    Histogram {
        bounds: Vec<f64>,
        buckets: Vec<u64>,
        sum: f64,
    },
}

/// A property of a family on which several functions may disagree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Agreed<T> {
    Said(T),
    Disputed,
}

/// The unit of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A unit in the code that OpenTelemetry uses (UCUM): `s`, `By`, `{record}`.
    Code(&'static str),
    /// A unit that a tenant chose. It is not a part of any name.
    Word(String),
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Signed(i64),
    Real(f64),
}

/// Label names with their values. Names are `[a-zA-Z_][a-zA-Z0-9_]*`; values are any text.
pub(crate) type Labels<'a> = [(&'a str, &'a str)];

/// The description of a family: its name with dots, its help, which may be empty, and its unit.
#[derive(Clone)]
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) help: &'a str,
    pub(crate) unit: Unit,
}

/// Help is cut after this many characters.
pub(crate) const HELP_CHARS_MAX: usize = 300;

impl<'a> About<'a> {
    pub(crate) fn new(name: &'a str, unit: &'static str, help: &'a str) -> About<'a> {
        About { name, help, unit: Unit::Code(unit) }
    }

    /// A description with a unit and help from outside; both are cut.
    pub(crate) fn told(name: &'a str, unit: &str, help: &'a str) -> About<'a> {
        About { name, help, unit: Unit::Word(said(unit)) }
    }

    /// The Prometheus name according to the standard translation: underscores in place of dots, then the unit if it is a unit of
    /// measure, then `_total` for a counter.
    pub(crate) fn prometheus_name(&self, kind: FamilyKind) -> String {
        let mut name = self.name.replace('.', "_");
        if kind == FamilyKind::Counter && name.ends_with("_total") {
            name.truncate(name.len() - "_total".len());
        }
        if let Some(unit) = self.unit.word()
            && matches!(self.unit, Unit::Code(_))
            && !name.ends_with(&format!("_{unit}"))
        {
            name.push('_');
            name.push_str(unit);
        }
        if kind == FamilyKind::Counter {
            name.push_str("_total");
        }
        name
    }
}

impl Unit {
    /// The unit as a word; `None` for counts.
    pub(crate) fn word(&self) -> Option<&str> {
        match self {
            Unit::Code("s") => Some("seconds"),
            Unit::Code("By") => Some("bytes"),
            Unit::Code(_) => None,
            Unit::Word(word) => Some(word.as_str()).filter(|word| !word.is_empty()),
        }
    }
}

impl<T: PartialEq> Agreed<T> {
    fn agree(&mut self, with: T) {
        if *self != Agreed::Said(with) {
            *self = Agreed::Disputed;
        }
    }
}

/// A text of a family: cut, and with a mark in place of each control character except line ends, which are escaped later.
/// Prometheus treats a NUL in a comment as the end of the text: with a NUL in its unit, a guest could hide all following metrics,
/// which include those of the runtime.
fn said(text: &str) -> String {
    let shown = |character: char| if character.is_control() && character != '\n' { '\u{fffd}' } else { character };
    text.chars().take(HELP_CHARS_MAX).map(shown).collect()
}

impl Families {
    /// The family of this name. Every caller uses the same kind for a name.
    fn family(&mut self, kind: FamilyKind, about: About<'_>) -> &mut Family {
        let (prometheus, help) = (about.prometheus_name(kind), said(about.help));
        match self.0.entry(prometheus) {
            Entry::Vacant(entry) => {
                let (name, help, unit) = (about.name.to_owned(), Agreed::Said(help), Agreed::Said(about.unit));
                entry.insert(Family { name, kind, help, unit, series: Vec::new() })
            }
            Entry::Occupied(entry) => {
                let family = entry.into_mut();
                debug_assert_eq!((family.kind, family.name.as_str()), (kind, about.name));
                family.help.agree(help);
                family.unit.agree(about.unit);
                family
            }
        }
    }

    /// Adds a sample of a counter or gauge.
    pub(crate) fn add(&mut self, kind: FamilyKind, about: About<'_>, labels: &Labels<'_>, value: Value) {
        let series = LabelledSample { labels: owned(labels), reading: Sample::Number(value) };
        self.family(kind, about).series.push(series);
    }

    /// Adds a histogram: `buckets` are not cumulative, and there is one more than there are bounds.
    pub(crate) fn add_histogram(
        &mut self,
        about: About<'_>,
        labels: &Labels<'_>,
        (bounds, buckets, sum): (&[f64], &[u64], f64),
    ) {
        let reading = Sample::Histogram { bounds: bounds.to_vec(), buckets: buckets.to_vec(), sum };
        self.family(FamilyKind::Histogram, about).series.push(LabelledSample { labels: owned(labels), reading });
    }
}

fn owned(labels: &Labels<'_>) -> Vec<(String, String)> {
    labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_as_the_standard_has_it() {
        use FamilyKind::{Counter, Gauge, Histogram, UpDownCounter};
        let check = |kind, name, unit, expected: &str| {
            assert_eq!(About::new(name, unit, "").prometheus_name(kind), expected);
        };
        check(Counter, "weir.query.commits", "{commit}", "weir_query_commits_total");
        check(Counter, "weir.source.bytes", "By", "weir_source_bytes_total");
        check(Counter, "weir.stage.guest", "s", "weir_stage_guest_seconds_total");
        check(Histogram, "weir.sink.write.duration", "s", "weir_sink_write_duration_seconds");
        check(Gauge, "weir.sink.queue.messages_max", "{message}", "weir_sink_queue_messages_max");
        check(UpDownCounter, "process.memory.usage", "By", "process_memory_usage_bytes");
        let guests = |kind, name| About::told(name, "seconds", "").prometheus_name(kind);
        assert_eq!(guests(Counter, "weir.guest.late_total"), "weir_guest_late_total");
        assert_eq!(guests(Counter, "weir.guest.late_total_total"), "weir_guest_late_total_total");
        assert_eq!(guests(Histogram, "weir.guest.late"), "weir_guest_late");
    }
}
