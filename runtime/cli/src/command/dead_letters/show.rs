//! `weir dead-letters show`.

use std::fmt;
use std::io::Write;

use anyhow::Context;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use weir_state::{Letter, LetterValue};
use weir_text::{elide, escape_json, hex};

use super::letters::{Letters, from};
use super::text::{bytes, time};
use crate::args::dead_letters as args;
use crate::exit::{Exit, wrong};

/// As much of a text, or of bytes, as is shown; `--json` leaves nothing out.
const SHOWN_MAX: usize = 64 * 1024;

pub(super) fn show(args: &args::Show, json: bool) -> anyhow::Result<Exit> {
    let letters = Letters::of(&args.query)?;
    let number = args.number;
    let missing = || format!("dead letter {number} does not exist in {}", letters.path.display());
    let skipped = usize::try_from(number).with_context(missing).map_err(wrong)?;
    let entry = letters.read()?.and_then(|mut lines| lines.nth(skipped)).with_context(missing).map_err(wrong)?;
    let entry = entry.with_context(|| format!("cannot read {}", letters.path.display()))?;
    let letter = entry.letter.map_err(|reason| {
        anyhow::anyhow!("{}:{}: not a dead letter: {}", letters.path.display(), number + 1, elide(&reason, 1000))
    })?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", escape_json(&serde_json::to_string(&Shown::of(number, &letter)?)?))?;
    } else {
        out.write_all(as_text(number, &letter)?.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn as_text(number: u64, letter: &Letter) -> anyhow::Result<String> {
    use fmt::Write;
    let mut out = String::new();
    let shown = |text: &str| elide(text, SHOWN_MAX);
    let of = format!("query {} of tenant {}", shown(&letter.query), shown(&letter.tenant));
    writeln!(out, "dead letter {number} of {of}")?;
    writeln!(out, "  place     {}", shown(&letter.place))?;
    if let (Some(module), Some(function)) = (&letter.module, &letter.function) {
        writeln!(out, "  function  {} of module {}", shown(function), shown(module))?;
    }
    writeln!(out, "  code      {}", shown(&letter.code))?;
    writeln!(out, "  message   {}", shown(&letter.message))?;
    if let Some(from) = from(letter) {
        let line = letter.line.map(|line| format!(", line {line}")).unwrap_or_default();
        writeln!(out, "  from      {from}{line}")?;
    }
    if let Some(micros) = letter.timestamp_us {
        writeln!(out, "  time      {}", time(micros))?;
    }
    if let Some(key) = &letter.key {
        write!(out, "  key\n{}", bytes(key, "    ", SHOWN_MAX))?;
    }
    for (name, value) in &letter.headers {
        writeln!(out, "  header    {}", shown(name))?;
        match value {
            Some(value) => write!(out, "{}", bytes(value, "    ", SHOWN_MAX))?,
            None => writeln!(out, "    null")?,
        }
    }
    if letter.value == LetterValue::Omitted {
        writeln!(out, "  value     omitted: the record was too large")?;
    }
    if let Some(record) = letter.record() {
        writeln!(out, "  record")?;
        match serde_json::from_str::<Fields>(record) {
            Ok(Fields(fields)) => {
                for (name, value) in fields {
                    let value: String = escape_json(value.get()).chars().take(SHOWN_MAX).collect();
                    writeln!(out, "    {}: {value}", shown(&name))?;
                }
            }
            Err(_) => writeln!(out, "    {}", shown(record))?,
        }
    }
    if letter.value == LetterValue::Original(None) {
        writeln!(out, "  bytes     null")?;
    }
    if let Some(raw) = letter.bytes() {
        write!(out, "  bytes\n{}", bytes(raw, "    ", SHOWN_MAX))?;
    }
    Ok(out)
}

/// The fields of a record in their order, each as the letter has it.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A letter for machines, under the same keys whatever version wrote it.
#[derive(Serialize)]
struct Shown<'a> {
    number: u64,
    query: &'a str,
    tenant: &'a str,
    place: &'a str,
    module: Option<&'a str>,
    function: Option<&'a str>,
    code: &'a str,
    message: &'a str,
    source: Option<&'a str>,
    origin: Option<&'a str>,
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp_us: Option<i64>,
    line: Option<u64>,
    key_hex: Option<Hex<'a>>,
    headers: Vec<(&'a str, Option<Hex<'a>>)>,
    /// `original`, `record` or `omitted`.
    value: &'static str,
    bytes_hex: Option<Hex<'a>>,
    // As it was written: numbers beyond this program's would change.
    record: Option<Box<RawValue>>,
}

struct Hex<'a>(&'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(self.0))
    }
}

impl<'a> Shown<'a> {
    fn of(number: u64, letter: &'a Letter) -> anyhow::Result<Shown<'a>> {
        Ok(Shown {
            number,
            query: &letter.query,
            tenant: &letter.tenant,
            place: &letter.place,
            module: letter.module.as_deref(),
            function: letter.function.as_deref(),
            code: &letter.code,
            message: &letter.message,
            source: letter.source.as_deref(),
            origin: letter.origin.as_deref(),
            partition: letter.partition,
            offset: letter.offset,
            timestamp_us: letter.timestamp_us,
            line: letter.line,
            key_hex: letter.key.as_deref().map(Hex),
            headers: letter.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().map(Hex))).collect(),
            value: letter.value.name(),
            bytes_hex: letter.bytes().map(Hex),
            record: letter.record().map(|record| RawValue::from_string(record.to_owned())).transpose()?,
        })
    }
}
