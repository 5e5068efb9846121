//! What a commit writes down: how far sources were read, and which files that made.

use std::path::PathBuf;
use std::sync::Arc;
use weir_fault::Fault;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use weir_text::{escape_to, hex};

use crate::{FileMark, Partition, Positions, TopicId};

/// The state of a query at its last commit. Written as one line that names version and checksum, and one of JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateManifest {
    /// The query's name.
    pub query: String,
    /// Its tenant.
    pub tenant: String,
    /// Commits so far, of all runs.
    pub commits: u64,
    /// Records taken in and committed so far, of all runs.
    pub records: u64,
    /// Where each source goes on.
    pub sources: Vec<SourcePositions>,
    /// The files of the last commit, which whoever finds this publishes if that has not been done.
    pub files: Vec<PreparedFile>,
    /// The numbers that the next file of each numbered sink has at least.
    pub next_numbers: Vec<NextNumber>,
    /// How long the file of dead letters was. What stands behind that was never committed.
    pub dead_letter_bytes: Option<u64>,
    /// What guests recorded.
    pub metrics: Vec<StoredSeries>,
    /// The program that wrote it, and its version; empty in those of version 1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub written_by: String,
}

/// Where a source goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePositions {
    /// The source.
    pub source: String,
    /// Its partitions.
    pub partitions: Vec<PartitionPosition>,
}

/// Where a partition goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionPosition {
    /// The topic or file.
    pub origin: String,
    /// Its number.
    pub number: i32,
    /// The offset of the next record; [`Positions::END`] where there is none.
    pub next: i64,
    /// Of a file, where decoding goes on, and what the file looked like. Versions 1 and 2 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileMark>,
    /// The id of the topic, where it was known. Versions 1 and 2 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<TopicId>,
}

/// A file that is durable under one name, and to be found under another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreparedFile {
    /// Where it was written.
    pub hidden: PathBuf,
    /// Where it belongs.
    pub path: PathBuf,
    /// The number in its name.
    pub number: u64,
}

/// The lowest number that a sink's next file may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextNumber {
    /// The sink.
    pub sink: String,
    /// The number.
    pub number: u64,
}

/// One series of a guest's metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredSeries {
    /// The stage.
    pub stage: String,
    /// The metric.
    pub metric: String,
    /// Its label values, in the order of the metric's labels.
    pub labels: Vec<String>,
    /// Whether it is the one that takes what is beyond the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overflow: bool,
    /// The value.
    pub value: StoredValue,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum StoredValue {
    /// The sum of all steps.
    Counter {
        /// The sum.
        sum: f64,
    },
    /// The last value.
    Gauge {
        /// The value.
        last: f64,
    },
    /// Values by bucket.
    Histogram {
        /// Values in each bucket.
        buckets: Vec<u64>,
        /// How many there were.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

/// Bytes that are no whole manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The first line is missing or is not a manifest's.
    #[error("it is not a state manifest, or it is damaged")]
    NoManifest,
    /// It was written by a later version of this program.
    #[error(
        "it has version {found}, written by {}, but this program ({WRITER}) reads versions {VERSION_MIN} to {VERSION}: run \
         the version that wrote it, or a later one",
        if written_by.is_empty() { "another program" } else { written_by }
    )]
    Version {
        /// The version that it names.
        found: String,
        /// The program that wrote it; empty where it does not say.
        written_by: String,
    },
    /// The contents are not those that were written.
    #[error("its checksum does not match its contents: it is damaged or was modified")]
    Checksum,
    /// The contents were written by something else.
    #[error("its contents cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

impl ManifestError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            // An older program was put in place of the one that wrote it.
            ManifestError::Version { .. } => Fault::Tenant,
            ManifestError::NoManifest | ManifestError::Checksum | ManifestError::Json(_) => Fault::External,
        }
    }

    /// Whether the same may succeed later: the bytes stay what they are.
    pub fn retryable(&self) -> bool {
        false
    }
}

const MAGIC: &str = "weir-manifest";
/// The version that is written. 2 has `written_by`, 3 has `file` and `topic_id` of partitions; whatever an older program would not understand
/// raises it.
const VERSION: u32 = 3;

/// The earliest version that is read.
const VERSION_MIN: u32 = 1;

/// What the name of a source begins with that reads dead letters again: the rest is the name of the source that they are of.
pub const LETTERS_OF: &str = "letters of ";

/// What `written_by` says.
pub const WRITER: &str = concat!("weir ", env!("CARGO_PKG_VERSION"));

/// The most of `written_by` that is said.
const WRITER_CHARS_MAX: usize = 40;

impl StateManifest {
    /// The bytes of the file, in the version of this program.
    ///
    /// # Errors
    ///
    /// A path that is no UTF-8.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let body = match self.written_by == WRITER {
            true => serde_json::to_vec(self)?,
            false => serde_json::to_vec(&StateManifest { written_by: WRITER.to_owned(), ..self.clone() })?,
        };
        let mut bytes = format!("{MAGIC} {VERSION} {}\n", checksum(VERSION, &body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// Anything but exactly what [`StateManifest::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8]) -> Result<StateManifest, ManifestError> {
        let newline = bytes.iter().position(|&byte| byte == b'\n').ok_or(ManifestError::NoManifest)?;
        let (first, body) = bytes.split_at(newline);
        let first = std::str::from_utf8(first).map_err(|_| ManifestError::NoManifest)?;
        let mut words = first.split(' ');
        let (magic, version, stated, end) = (words.next(), words.next(), words.next(), words.next());
        let (Some(MAGIC), Some(version), Some(stated), None) = (magic, version, stated, end) else {
            return Err(ManifestError::NoManifest);
        };
        let known = version.parse().ok().filter(|number: &u32| (VERSION_MIN..=VERSION).contains(number));
        let Some(number) = known else {
            return Err(ManifestError::Version {
                found: escape_to(version, WRITER_CHARS_MAX),
                written_by: writer(body),
            });
        };
        let body = body.strip_prefix(b"\n").and_then(|body| body.strip_suffix(b"\n")).ok_or(ManifestError::Checksum)?;
        if self::checksum(number, body) != stated {
            return Err(ManifestError::Checksum);
        }
        Ok(serde_json::from_slice(body)?)
    }

    /// Where a source goes on; nowhere in particular if it is not known here.
    pub fn positions(&self, source: &str) -> Positions {
        let source = self.sources.iter().find(|known| known.source == source);
        let partitions = source.into_iter().flat_map(|source| &source.partitions);
        let mut positions = Positions::default();
        for PartitionPosition { origin, number, next, file, topic_id } in partitions {
            let partition = Partition { origin: origin.as_str().into(), number: *number };
            if let Some(id) = topic_id {
                positions.set_topic(partition.clone(), id.clone());
            }
            match file {
                Some(mark) => positions.set_in_file(partition, *next, Arc::new(mark.clone()), None),
                None => positions.set(partition, *next),
            }
        }
        positions
    }

    /// Takes over where these sources go on. The sources of a replay of dead letters, and the query's own, leave each
    /// other's positions alone: either goes on where it was, however they take turns.
    pub fn keep_sources(&mut self, sources: Vec<SourcePositions>) {
        let is_replay = |source: &SourcePositions| source.source.starts_with(LETTERS_OF);
        let replay = sources.iter().any(is_replay);
        self.sources.retain(|known| is_replay(known) != replay);
        self.sources.extend(sources);
    }

    /// The lowest number that a sink's next file may have.
    pub fn next_number(&self, sink: &str) -> u64 {
        self.next_numbers.iter().find(|known| known.sink == sink).map_or(1, |known| known.number)
    }
}

impl SourcePositions {
    /// The positions of a source, for keeping.
    pub fn new(source: &str, positions: &Positions) -> SourcePositions {
        let partition = |(partition, next): (&Partition, i64)| PartitionPosition {
            origin: partition.origin.to_string(),
            number: partition.number,
            next,
            file: positions.mark(partition).map(|mark| (**mark).clone()),
            topic_id: positions.topic(partition).cloned(),
        };
        SourcePositions { source: source.to_owned(), partitions: positions.iter().map(partition).collect() }
    }
}

/// Who says that it wrote this, in a version that is not known here.
fn writer(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default)]
        written_by: String,
    }
    serde_json::from_slice(body)
        .map(|Written { written_by }| escape_to(&written_by, WRITER_CHARS_MAX))
        .unwrap_or_default()
}

/// What the first line says of the body. From version 3 on it covers the version: one that is changed to an older one is
/// not read as such.
fn checksum(version: u32, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    if version >= 3 {
        digest.update(format!("{version}\n"));
    }
    hex(digest.chain_update(body).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> StateManifest {
        let partition = |origin: &str, number| Partition { origin: origin.into(), number };
        let mut positions: Positions =
            [(partition("in", 0), 17), (partition("in", 1), Positions::END)].into_iter().collect();
        positions.set_topic(partition("in", 0), TopicId::new("TH_hal5BTCuhPtKYkolFvw").unwrap());
        StateManifest {
            query: "late".to_owned(),
            tenant: "acme".to_owned(),
            commits: 3,
            records: 40,
            sources: vec![SourcePositions::new("in", &positions)],
            files: vec![PreparedFile {
                hidden: "/o/.a.csv.1-2-3.part".into(),
                path: "/o/a-000003.csv".into(),
                number: 3,
            }],
            next_numbers: vec![NextNumber { sink: "out".to_owned(), number: 4 }],
            dead_letter_bytes: Some(120),
            metrics: vec![StoredSeries {
                stage: "late".to_owned(),
                metric: "delay".to_owned(),
                labels: vec!["x".to_owned()],
                overflow: false,
                value: StoredValue::Histogram { buckets: vec![1, 2], count: 3, sum: 0.1 + 0.2 },
            }],
            written_by: WRITER.to_owned(),
        }
    }

    #[test]
    fn a_manifest_comes_back_as_it_was() {
        let manifest = manifest();
        let read = StateManifest::from_bytes(&manifest.to_bytes().unwrap()).unwrap();
        assert_eq!(read, manifest);
        assert_eq!(read.positions("in").get(&Partition { origin: "in".into(), number: 1 }), Some(Positions::END));
        assert_eq!((read.next_number("out"), read.next_number("other")), (4, 1));
    }

    #[test]
    fn one_that_is_torn_at_any_byte_is_refused() {
        let bytes = manifest().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(StateManifest::from_bytes(&bytes[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn one_with_any_byte_changed_is_refused() {
        let bytes = manifest().to_bytes().unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(StateManifest::from_bytes(&changed).is_err(), "byte {place} changed");
        }
        assert!(StateManifest::from_bytes(&[bytes.as_slice(), b"\n"].concat()).is_err());
    }

    #[test]
    fn one_of_version_1_is_read_and_one_of_a_later_version_names_who_wrote_it() {
        let of = |version: &str, body: &str| {
            let stated = checksum(version.parse().unwrap_or(0), body.as_bytes());
            format!("{MAGIC} {version} {stated}\n{body}\n").into_bytes()
        };
        let body = r#"{"query":"late","tenant":"acme","commits":3,"records":40,"sources":[],"files":[],"next_numbers":[],"dead_letter_bytes":null,"metrics":[]}"#;
        let body_of_2 = body.replace(
            r#""sources":[]"#,
            r#""written_by":"weir 0.2.0","sources":[{"source":"in","partitions":[{"origin":"in","number":0,"next":3}]}]"#,
        );
        let read = StateManifest::from_bytes(&of("2", &body_of_2)).unwrap().positions("in");
        let partition = Partition { origin: "in".into(), number: 0 };
        assert_eq!((read.get(&partition), read.mark(&partition)), (Some(3), None));
        let read = StateManifest::from_bytes(&of("1", body)).unwrap();
        assert_eq!((read.commits, read.written_by.as_str()), (3, ""));
        let said = |version: &str, body: &str| StateManifest::from_bytes(&of(version, body)).unwrap_err().to_string();
        let body_of_3 = body.replace(
            r#""sources":[]"#,
            r#""written_by":"weir 0.2.0","sources":[{"source":"in","partitions":[{"origin":"in","number":0,"next":3,"topic_id":"ID"}]}]"#,
        );
        let good = body_of_3.replace("\"ID\"", "\"TH_hal5BTCuhPtKYkolFvw\"");
        let partition = Partition { origin: "in".into(), number: 0 };
        assert!(StateManifest::from_bytes(&of("3", &good)).unwrap().positions("in").topic(&partition).is_some());
        assert!(said("3", &body_of_3).contains("a topic id must have 22 base64 characters"));
        let later = said("4", r#"{"written_by":"weir 9.9.9","query":{"anything":[1]}}"#);
        assert!(later.starts_with("it has version 4, written by weir 9.9.9, but this program (weir "), "{later}");
        assert!(said("5", "no JSON").starts_with("it has version 5, written by another program"));
        assert!(said("\u{1b}[31m", "{}").starts_with("it has version \\u{1b}[31m, "));
    }
}
