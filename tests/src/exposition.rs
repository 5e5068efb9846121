//! A strict reader of Prometheus' text format, version 0.0.4, written from its description and not from what Weir writes.

use std::collections::{BTreeMap, HashMap, HashSet};

/// A sample: its name, its labels in the order of their names, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name; of a histogram with the ending.
    pub name: String,
    /// By their names.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// A text that keeps every rule.
#[derive(Debug, Default)]
pub struct Exposition {
    /// The type of each family.
    pub types: HashMap<String, String>,
    /// In the order of the text.
    pub samples: Vec<Sample>,
}

impl Exposition {
    /// The value of the one sample with this name and at least these labels.
    ///
    /// # Panics
    ///
    /// There is more than one.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        let found: Vec<&Sample> = self.samples.iter().filter(has).collect();
        assert!(found.len() <= 1, "{name}{labels:?} is not one sample: {found:?}");
        found.first().map(|sample| sample.value)
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Exposition, String> {
        let mut read = Exposition::default();
        let (mut helped, mut closed, mut seen) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut family = String::new();
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        // Not `lines`, which takes a carriage return for part of an end.
        for line in text[..text.len() - 1].split('\n') {
            let wrong = |why: &str| Err(format!("{why}: {line}"));
            // Prometheus ends its reading there, without an error.
            if line.starts_with('#') && line.chars().any(char::is_control) {
                return wrong("a control character in a comment");
            }
            let mut enter = |name: &str| {
                if family != name {
                    closed.insert(std::mem::replace(&mut family, name.to_owned()));
                }
                !closed.contains(name)
            };
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (word, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let rest = words.next().unwrap_or_default();
                let again = match word {
                    "HELP" if !is_help(rest) => return wrong("no help"),
                    "HELP" => !helped.insert(name.to_owned()) || read.types.contains_key(name),
                    "TYPE" => {
                        if !["counter", "gauge", "histogram"].contains(&rest) {
                            return wrong("no such type");
                        }
                        if !helped.contains(name) {
                            return wrong("no help");
                        }
                        read.types.insert(name.to_owned(), rest.to_owned()).is_some()
                    }
                    // A comment of this version.
                    "UNIT" => false,
                    _ => return wrong("an unknown comment"),
                };
                if again || !is_name(name) {
                    return wrong("said twice, too late, or of no name");
                }
                if !enter(name) {
                    return wrong("a family in two pieces");
                }
                continue;
            }
            let sample = match sample(line) {
                Some(sample) => sample,
                None => return wrong("no sample"),
            };
            let endings = ["_bucket", "_sum", "_count"];
            let of_histogram = endings.iter().find_map(|ending| {
                let family = sample.name.strip_suffix(ending)?;
                (read.types.get(family).map(String::as_str) == Some("histogram")).then(|| family.to_owned())
            });
            let name = of_histogram.unwrap_or_else(|| sample.name.clone());
            let Some(kind) = read.types.get(&name) else { return wrong("a sample without a type") };
            if (kind == "histogram") == (sample.name == name) {
                return wrong("not a sample of its family's type");
            }
            if !enter(&name) {
                return wrong("a family in two pieces");
            }
            if kind == "counter" && !(sample.name.ends_with("_total") && sample.value >= 0.0) {
                return wrong("no counter");
            }
            if !seen.insert((sample.name.clone(), sample.labels.clone())) {
                return wrong("a sample twice");
            }
            read.samples.push(sample);
        }
        read.check_histograms()?;
        Ok(read)
    }

    fn check_histograms(&self) -> Result<(), String> {
        for (family, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut series: HashMap<BTreeMap<String, String>, Vec<(f64, f64)>> = HashMap::new();
            for sample in self.samples.iter().filter(|sample| sample.name == format!("{family}_bucket")) {
                let mut labels = sample.labels.clone();
                let bound = labels.remove("le").and_then(|bound| number(&bound)).ok_or("a bucket without a bound")?;
                series.entry(labels).or_default().push((bound, sample.value));
            }
            for (labels, buckets) in series {
                let wrong = |why: &str| Err(format!("{family} {labels:?}: {why}"));
                if !buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1) {
                    return wrong("bounds or counts fall");
                }
                let of = |ending: &str| {
                    let name = format!("{family}{ending}");
                    let found = self.samples.iter().find(|sample| sample.name == name && sample.labels == labels);
                    found.map(|sample| sample.value)
                };
                let Some((bound, most)) = buckets.last() else { return wrong("no buckets") };
                if *bound != f64::INFINITY || of("_count") != Some(*most) || of("_sum").is_none() {
                    return wrong("+Inf, _count and _sum do not belong together");
                }
            }
        }
        Ok(())
    }
}

/// Something, with every backslash the beginning of an escape.
fn is_help(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && !matches!(characters.next(), Some('\\' | 'n')) {
            return false;
        }
    }
    !text.is_empty()
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => text.parse().ok(),
        _ => None,
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let (mut value, mut characters) = (String::new(), after.chars());
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => value.push(match characters.next()? {
                        'n' => '\n',
                        escaped @ ('"' | '\\') => escaped,
                        _ => return None,
                    }),
                    other => value.push(other),
                }
            }
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = characters.as_str();
            if let Some(after) = rest.strip_prefix("} ") {
                rest = after;
                break;
            }
            rest = rest.strip_prefix(',')?;
        }
    } else {
        rest = rest.strip_prefix(' ')?;
    }
    (is_name(name)).then_some(())?;
    Some(Sample { name: name.to_owned(), labels, value: number(rest)? })
}

#[test]
fn the_reader_refuses_what_breaks_a_rule() {
    let good = "# HELP a_total h\n# TYPE a_total counter\na_total{x=\"\\\\\\n\\\"\"} 1\n# HELP h \\\\ \\n\n# TYPE h histogram\n\
                h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    let read = Exposition::parse(good).expect("a text that keeps every rule");
    assert_eq!(read.value("a_total", &[("x", "\\\n\"")]), Some(1.0));
    for (from, to) in [
        ("# TYPE a_total counter\n", ""),
        ("# TYPE h histogram\n", "# TYPE h histogram\n# TYPE h histogram\n"),
        ("# TYPE h histogram\n", "# TYPE a_total counter\n"),
        ("# HELP a_total h\n# TYPE a_total counter\n", "# TYPE a_total counter\n# HELP a_total h\n"),
        ("\\\"", "\""),
        ("\\n\\\"", "\\t\\\""),
        ("\\\\ \\n", "\\t"),
        ("# HELP h \\\\ \\n\n", ""),
        ("# HELP h \\\\ \\n\n", "# HELP h \n"),
        ("# HELP h ", "# HELP h \0"),
        ("# HELP h ", "# UNIT h \0\n# HELP h "),
        ("h_count 2", "h_count 3"),
        ("{le=\"1\"} 1", "{le=\"1\"} 3"),
        ("{le=\"1\"} 1", "{le=\"+Inf\"} 1"),
        ("h_sum 3\n", ""),
        ("h_count 2\n", "h_count 2\na_total{y=\"\"} 1\n"),
        ("h_sum 3\n", "h_sum 3\nh_sum 3\n"),
        (" 3\n", " inf\n"),
        ("h_count 2\n", "h_count 2"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(Exposition::parse(&bad).is_err(), "{bad}");
    }
}
