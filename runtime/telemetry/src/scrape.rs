//! What an endpoint told, read again.

use std::borrow::Cow;

/// The samples of a text of Prometheus' format, version 0.0.4.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    /// In the order of the text.
    pub samples: Vec<Sample>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name; of a histogram's with the ending.
    pub name: String,
    /// Labels and values, in the order of the text.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// A text that is not of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no sample: {reason}")]
pub struct ScrapeError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

impl Scrape {
    /// Reads a text. Comments are passed over; time stamps are refused, since no process has them of itself.
    ///
    /// # Errors
    ///
    /// The first line that is not of the format.
    pub fn parse(text: &str) -> Result<Scrape, ScrapeError> {
        let mut samples = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            samples.push(sample(line).map_err(|reason| ScrapeError { line: index + 1, reason })?);
        }
        Ok(Scrape { samples })
    }
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let (name, mut rest) = name(line).ok_or("it has no name")?;
    let mut labels = Vec::new();
    if let Some(after) = rest.strip_prefix('{') {
        rest = after;
        while !rest.starts_with('}') {
            let (label, after) = self::name(rest).ok_or("a label has no name")?;
            let (value, after) = after.strip_prefix("=\"").and_then(quoted).ok_or("a label has no value")?;
            labels.push((label.to_owned(), value.into_owned()));
            rest = match after.strip_prefix(',') {
                Some(more) => more,
                None if after.starts_with('}') => after,
                None => return Err("the labels have no end"),
            };
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or("it has no value")?;
    let value = match value {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => {
            digits.parse().map_err(|_| "its value is no number")?
        }
        _ => return Err("its value is no number"),
    };
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// A name, and what comes after it.
fn name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_' || character == ':'));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    (!name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())).then_some((name, rest))
}

/// What stands before the closing quote, and what comes after that.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{About, Families, Kind, Value};

    #[test]
    fn what_was_written_is_read_again() {
        let values = ["plain", "", "a\\n\n\"}", "\\\\\"", "é, {x=\"y\"} 7", "\u{202e}\r\t"];
        let mut families = Families::default();
        for value in values {
            families.add(Kind::Gauge, About::new("g", "", "h"), &[("a", value), ("b", "2")], Value::Real(-1.5e-9));
        }
        let scrape = Scrape::parse(&families.into_text()).expect("a text of the format");
        let read: Vec<_> = scrape.samples.iter().map(|sample| sample.label("a").unwrap_or("none")).collect();
        assert_eq!(read, values);
        assert!(scrape.samples.iter().all(|sample| sample.value == -1.5e-9 && sample.label("b") == Some("2")));
    }

    #[test]
    fn what_is_not_of_the_format_is_refused_with_its_line() {
        for line in
            ["a", "a ", "{x=\"\"} 1", "a{x=1} 1", "a{x=\"1\" 1", "a{x=\"\\x\"} 1", "a inf", "a 1 2", "9a 1", "a{"]
        {
            let error = Scrape::parse(&format!("# TYPE b gauge\nb 1\n{line}\n")).expect_err(line);
            assert_eq!(error.line, 3, "{line}");
        }
        assert_eq!(Scrape::parse("\n# anything\n"), Ok(Scrape::default()));
    }
}
