//! The text format of Prometheus, version 0.0.4: families of samples, each with its type once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Write};

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Families by name. Samples of one family stay together, in the order in which they came.
#[derive(Default)]
pub(crate) struct Families(BTreeMap<String, Family>);

struct Family {
    kind: Kind,
    help: Text,
    unit: Text,
    samples: String,
}

/// What is said of a family by several who may not agree.
#[derive(Debug, PartialEq, Eq)]
enum Text {
    Said(String),
    Disputed,
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Signed(i64),
    Real(f64),
}

/// Labels with their values. Names are `[a-zA-Z_][a-zA-Z0-9_]*`; values are any text.
pub(crate) type Labels<'a> = [(&'a str, &'a str)];

/// What is said of a family: what it measures, and in which unit; either may be empty, and any text.
pub(crate) type About<'a> = (&'a str, &'a str);

/// Explanations are cut after this many characters.
const HELP_CHARS_MAX: usize = 300;

/// What is said of a family, cut, and with a mark for each control character but the line's end, which is escaped.
/// Prometheus takes a NUL in a comment for the end of the text: with one in its unit, a guest would hide all that
/// comes after it, and that is the runtime's own.
fn said(text: &str) -> String {
    let shown = |character: char| if character.is_control() && character != '\n' { '\u{fffd}' } else { character };
    text.chars().take(HELP_CHARS_MAX).map(shown).collect()
}

impl Text {
    fn agree(&mut self, with: String) {
        if *self != Text::Said(with) {
            *self = Text::Disputed;
        }
    }
}

impl Families {
    /// The family of this name, which has one kind wherever it is asked for.
    fn family(&mut self, name: &str, kind: Kind, (help, unit): About<'_>) -> &mut Family {
        let [help, unit] = [help, unit].map(said);
        match self.0.entry(name.to_owned()) {
            Entry::Vacant(entry) => {
                let (help, unit) = (Text::Said(help), Text::Said(unit));
                entry.insert(Family { kind, help, unit, samples: String::new() })
            }
            Entry::Occupied(entry) => {
                let family = entry.into_mut();
                debug_assert_eq!(family.kind, kind, "{name}");
                family.help.agree(help);
                family.unit.agree(unit);
                family
            }
        }
    }

    /// Adds a sample of a counter or gauge.
    pub(crate) fn add(&mut self, kind: Kind, name: &str, about: About<'_>, labels: &Labels<'_>, value: Value) {
        let family = self.family(name, kind, about);
        sample(&mut family.samples, name, "", labels, None, value);
    }

    /// Adds a histogram: `buckets` are not accumulated, and one more than there are bounds.
    pub(crate) fn add_histogram(
        &mut self,
        name: &str,
        about: About<'_>,
        labels: &Labels<'_>,
        (bounds, buckets, sum): (&[f64], &[u64], f64),
    ) {
        let family = self.family(name, Kind::Histogram, about);
        let mut below = 0_u64;
        for (index, bucket) in buckets.iter().enumerate() {
            below = below.saturating_add(*bucket);
            let bound = bounds.get(index).copied().unwrap_or(f64::INFINITY);
            sample(&mut family.samples, name, "_bucket", labels, Some(bound), Value::Whole(below));
        }
        sample(&mut family.samples, name, "_sum", labels, None, Value::Real(sum));
        sample(&mut family.samples, name, "_count", labels, None, Value::Whole(below));
    }

    /// All of it.
    pub(crate) fn into_text(self) -> String {
        let mut text = String::with_capacity(self.0.values().map(|family| family.samples.len() + 256).sum());
        for (name, family) in self.0 {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            match &family.help {
                Text::Said(help) if help.is_empty() => {}
                Text::Said(help) => line(&mut text, format_args!("# HELP {name} {}", Escaped(help, false))),
                Text::Disputed => {
                    line(&mut text, format_args!("# HELP {name} Described differently by its functions."))
                }
            }
            line(&mut text, format_args!("# TYPE {name} {kind}"));
            // A comment to parsers of this version; people, and those of OpenMetrics, read it.
            if let Text::Said(unit) = &family.unit
                && !unit.is_empty()
            {
                line(&mut text, format_args!("# UNIT {name} {}", Escaped(unit, false)));
            }
            text.push_str(&family.samples);
        }
        text
    }
}

fn put(text: &mut String, said: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _written: fmt::Result = text.write_fmt(said);
}

fn line(text: &mut String, said: fmt::Arguments<'_>) {
    put(text, said);
    text.push('\n');
}

fn sample(text: &mut String, name: &str, suffix: &str, labels: &Labels<'_>, le: Option<f64>, value: Value) {
    text.push_str(name);
    text.push_str(suffix);
    let mut before = '{';
    for (name, value) in labels {
        put(text, format_args!("{before}{name}=\"{}\"", Escaped(value, true)));
        before = ',';
    }
    if let Some(bound) = le {
        put(text, format_args!("{before}le=\"{}\"", Value::Real(bound)));
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    line(text, format_args!(" {value}"));
}

/// As the format writes numbers.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::Whole(value) => write!(f, "{value}"),
            Value::Signed(value) => write!(f, "{value}"),
            Value::Real(value) if value.is_nan() => f.write_str("NaN"),
            Value::Real(value) if value.is_infinite() => f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" }),
            // Three hundred digits would be right, and long.
            Value::Real(value) if value != 0.0 && !(1e-5..1e16).contains(&value.abs()) => write!(f, "{value:e}"),
            Value::Real(value) => write!(f, "{value}"),
        }
    }
}

/// Text with what would end it escaped; quotes only where it stands in quotes.
struct Escaped<'a>(&'a str, bool);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' if self.1 => f.write_str("\\\"")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(fill: impl FnOnce(&mut Families), expected: Expect) {
        let mut families = Families::default();
        fill(&mut families);
        expected.assert_eq(&families.into_text());
    }

    #[test]
    fn families_stay_together_and_say_their_type_once() {
        check(
            |families| {
                families.add(Kind::Gauge, "b", ("Of b.", ""), &[("x", "1")], Value::Signed(-1));
                families.add(Kind::Counter, "a_total", ("", "rows"), &[], Value::Whole(7));
                families.add(Kind::Gauge, "b", ("Of b, too.", ""), &[("x", "2")], Value::Real(0.5));
            },
            expect![[r#"
                # TYPE a_total counter
                # UNIT a_total rows
                a_total 7
                # HELP b Described differently by its functions.
                # TYPE b gauge
                b{x="1"} -1
                b{x="2"} 0.5
            "#]],
        );
    }

    #[test]
    fn buckets_are_accumulated_and_the_last_is_the_count() {
        check(
            |families| {
                let histogram: (&[f64], &[u64], f64) = (&[-1.0, 0.5, 1e20], &[1, 0, 2, 4], 3.25);
                families.add_histogram("h", ("Of\nh \\ \"x\".", ""), &[("q", "a\\b\n\"c\" é")], histogram);
            },
            expect![[r#"
                # HELP h Of\nh \\ "x".
                # TYPE h histogram
                h_bucket{q="a\\b\n\"c\" é",le="-1"} 1
                h_bucket{q="a\\b\n\"c\" é",le="0.5"} 1
                h_bucket{q="a\\b\n\"c\" é",le="1e20"} 3
                h_bucket{q="a\\b\n\"c\" é",le="+Inf"} 7
                h_sum{q="a\\b\n\"c\" é"} 3.25
                h_count{q="a\\b\n\"c\" é"} 7
            "#]],
        );
    }

    #[test]
    fn what_is_said_of_a_family_cannot_end_the_text_nor_begin_a_line() {
        check(
            |families| {
                families.add(Kind::Gauge, "a", ("x\0\n# EOF\r\n", "s\0\u{85}\t"), &[], Value::Whole(1));
                families.add(Kind::Gauge, "b", ("", "\0"), &[], Value::Whole(1));
            },
            expect![[r#"
                # HELP a x�\n# EOF�\n
                # TYPE a gauge
                # UNIT a s���
                a 1
                # TYPE b gauge
                # UNIT b �
                b 1
            "#]],
        );
        assert_eq!(said(&"é".repeat(400)).chars().count(), HELP_CHARS_MAX);
    }

    #[test]
    fn numbers_that_are_none_are_written_as_the_format_has_them() {
        let reals = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e-300, -0.0, 123_456.0];
        let written = reals.map(|real| Value::Real(real).to_string());
        assert_eq!(written, ["NaN", "+Inf", "-Inf", "1.7976931348623157e308", "1e-300", "-0", "123456"]);
    }
}
