//! The text format of Prometheus, version 0.0.4.

use std::fmt::{self, Write};

use crate::families::{Agreed, Families, Family, FamilyKind, LabelledSample, Sample, Value};

impl Families {
    /// All families as text.
    pub(crate) fn into_text(self) -> String {
        let series = self.0.values().map(|family| family.series.len()).sum::<usize>();
        let mut text = String::with_capacity(series * 160 + self.0.len() * 160);
        for (name, family) in &self.0 {
            family.write(&mut text, name);
        }
        text
    }
}

impl Family {
    fn write(&self, text: &mut String, name: &str) {
        let kind = match self.kind {
            FamilyKind::Counter => "counter",
            FamilyKind::UpDownCounter | FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
        };
        match &self.help {
            Agreed::Said(help) if help.is_empty() => {}
            Agreed::Said(help) => line(text, format_args!("# HELP {name} {}", Escaped(help, false))),
            Agreed::Disputed => line(text, format_args!("# HELP {name} Functions describe this metric differently.")),
        }
        line(text, format_args!("# TYPE {name} {kind}"));
        // Parsers of this version ignore this comment; people and OpenMetrics parsers read it.
        if let Agreed::Said(unit) = &self.unit
            && let Some(unit) = unit.word()
        {
            line(text, format_args!("# UNIT {name} {}", Escaped(unit, false)));
        }
        for LabelledSample { labels, reading } in &self.series {
            match reading {
                Sample::Number(value) => sample(text, name, "", labels, None, *value),
                Sample::Histogram { bounds, buckets, sum } => {
                    let mut below = 0_u64;
                    for (index, bucket) in buckets.iter().enumerate() {
                        below = below.saturating_add(*bucket);
                        let bound = bounds.get(index).copied().unwrap_or(f64::INFINITY);
                        sample(text, name, "_bucket", labels, Some(bound), Value::Whole(below));
                    }
                    sample(text, name, "_sum", labels, None, Value::Real(*sum));
                    sample(text, name, "_count", labels, None, Value::Whole(below));
                }
            }
        }
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

fn sample(text: &mut String, name: &str, suffix: &str, labels: &[(String, String)], le: Option<f64>, value: Value) {
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

/// Numbers as the format requires them.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::Whole(value) => write!(f, "{value}"),
            Value::Signed(value) => write!(f, "{value}"),
            Value::Real(value) if value.is_nan() => f.write_str("NaN"),
            Value::Real(value) if value.is_infinite() => f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" }),
            // Without an exponent, the number would have up to three hundred digits.
            Value::Real(value) if value != 0.0 && !(1e-5..1e16).contains(&value.abs()) => write!(f, "{value:e}"),
            Value::Real(value) => write!(f, "{value}"),
        }
    }
}

/// Text with special characters escaped; quotes are escaped only within quotes.
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
    use crate::families::About;

    fn check(fill: impl FnOnce(&mut Families), expected: Expect) {
        let mut families = Families::default();
        fill(&mut families);
        expected.assert_eq(&families.into_text());
    }

    #[test]
    fn families_stay_together_and_say_their_type_once() {
        check(
            |families| {
                families.add(FamilyKind::Gauge, About::new("b", "", "Of b."), &[("x", "1")], Value::Signed(-1));
                families.add(FamilyKind::Counter, About::told("a_total", "rows", ""), &[], Value::Whole(7));
                families.add(FamilyKind::Gauge, About::new("b", "", "Of b, too."), &[("x", "2")], Value::Real(0.5));
            },
            expect![[r#"
                # TYPE a_total counter
                # UNIT a_total rows
                a_total 7
                # HELP b Functions describe this metric differently.
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
                families.add_histogram(About::new("h", "", "Of\nh \\ \"x\"."), &[("q", "a\\b\n\"c\" é")], histogram);
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
                let about = About::told("a", "s\0\u{85}\t", "x\0\n# EOF\r\n");
                families.add(FamilyKind::Gauge, about, &[], Value::Whole(1));
                families.add(FamilyKind::Gauge, About::told("b", "\0", ""), &[], Value::Whole(1));
                families.add(FamilyKind::Gauge, About::new("c", "", &"#".repeat(60)), &[], Value::Whole(1));
            },
            expect![[r#"
                # HELP a x�\n# EOF�\n
                # TYPE a gauge
                # UNIT a s���
                a 1
                # TYPE b gauge
                # UNIT b �
                b 1
                # HELP c ############################################################
                # TYPE c gauge
                c 1
            "#]],
        );
    }

    #[test]
    fn numbers_that_are_none_are_written_as_the_format_has_them() {
        let reals = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e-300, -0.0, 123_456.0];
        let written = reals.map(|real| Value::Real(real).to_string());
        assert_eq!(written, ["NaN", "+Inf", "-Inf", "1.7976931348623157e308", "1e-300", "-0", "123456"]);
    }
}
