//! The state manifest, which a commit writes: positions of sources, and output files.

use std::path::PathBuf;
use std::sync::Arc;
use weir_fault::Fault;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use weir_text::{escape_to, hex};

use crate::{FileMark, Partition, Positions, TopicId};

/// The state of a query at its last commit. Written as a line with version and checksum, and a line of JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateManifest {
    /// The query's name.
    pub query: String,
    /// Its tenant.
    pub tenant: String,
    /// The number of commits, over all runs.
    pub commits: u64,
    /// The number of records read and committed, over all runs.
    pub records: u64,
    /// The positions of the sources.
    pub sources: Vec<SourcePositions>,
    /// The output files of the last commit. The next start publishes them if that has not been done.
    pub files: Vec<PreparedFile>,
    /// The lowest number for the next file of each numbered sink.
    pub next_numbers: Vec<NextNumber>,
    /// The length of the dead-letter file. Bytes after this were never committed.
    pub dead_letter_bytes: Option<u64>,
    /// The metrics that guests recorded.
    pub metrics: Vec<StoredSeries>,
    /// The program that wrote the manifest, with its version; empty in manifests of version 1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub written_by: String,
}

/// The positions of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePositions {
    /// The source.
    pub source: String,
    /// Its partitions.
    pub partitions: Vec<PartitionPosition>,
}

/// The position in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionPosition {
    /// The topic or file.
    pub origin: String,
    /// The partition's number.
    pub number: i32,
    /// The offset of the next record; [`Positions::END`] if no record follows.
    pub next: i64,
    /// For files: where decoding continues, and how the file looked. Not in versions 1 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileMark>,
    /// The topic's id, if known. Not in versions 1 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<TopicId>,
}

/// A durable file under a hidden name, which must be renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreparedFile {
    /// The hidden path.
    pub hidden: PathBuf,
    /// The final path.
    pub path: PathBuf,
    /// The number in its name.
    pub number: u64,
}

/// The lowest number for a sink's next file.
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
    /// Whether this is the series for values beyond the limit of series.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overflow: bool,
    /// The value.
    pub value: StoredValue,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum StoredValue {
    /// A sum of increments.
    Counter {
        /// The sum.
        sum: f64,
    },
    /// The last value.
    Gauge {
        /// The value.
        last: f64,
    },
    /// Counts of values by bucket.
    Histogram {
        /// Values in each bucket.
        buckets: Vec<u64>,
        /// The number of values.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

/// Bytes that are not a valid manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The first line is missing or invalid.
    #[error("it is not a state manifest, or it is damaged")]
    NoManifest,
    /// A later version of this program wrote the manifest.
    #[error(
        "it has version {found}, written by {}, but this program ({WRITER}) reads versions {VERSION_MIN} to {VERSION}: run \
         the version that wrote it, or a later one",
        if written_by.is_empty() { "another program" } else { written_by }
    )]
    Version {
        /// The version of the manifest.
        found: String,
        /// The program that wrote it; empty if unknown.
        written_by: String,
    },
    /// The contents do not match the checksum.
    #[error("its checksum does not match its contents: it is damaged or was modified")]
    Checksum,
    /// The contents are not a manifest.
    #[error("its contents cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

impl ManifestError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            // Somebody replaced the program by an older version.
            ManifestError::Version { .. } => Fault::Tenant,
            ManifestError::NoManifest | ManifestError::Checksum | ManifestError::Json(_) => Fault::External,
        }
    }

    /// Whether the same bytes may be valid later: never.
    pub fn retryable(&self) -> bool {
        false
    }
}

const MAGIC: &str = "weir-manifest";
/// The version that this program writes. 2 added `written_by`, 3 added `file` and `topic_id` of partitions. Every change that an
/// older program would not understand increments it.
const VERSION: u32 = 3;

/// The earliest version that this program reads.
const VERSION_MIN: u32 = 1;

/// The prefix for names of sources that replay dead letters: the name of the original source follows.
pub const LETTERS_OF: &str = "letters of ";

/// The value of `written_by`.
pub const WRITER: &str = concat!("weir ", env!("CARGO_PKG_VERSION"));

/// The maximum length of `written_by` in messages.
const WRITER_CHARS_MAX: usize = 40;

impl StateManifest {
    /// The bytes of the manifest file, in the current version.
    ///
    /// # Errors
    ///
    /// A path that is not valid UTF-8.
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

    /// Parses a whole manifest file.
    ///
    /// # Errors
    ///
    /// Anything that [`StateManifest::to_bytes`] did not write.
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

    /// The positions of a source; empty if the source is unknown.
    pub fn positions(&self, source: &str) -> Positions {
        let source = self.sources.iter().find(|known| known.source == source);
        let partitions = source.into_iter().flat_map(|source| &source.partitions);
        let mut positions = Positions::default();
        for PartitionPosition { origin, number, next, file, topic_id } in partitions {
            let partition = Partition::new(origin.as_str(), *number);
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

    /// Replaces the positions of these sources. Sources of a replay of dead letters and the query's own sources do not change each
    /// other's positions: each continues where it was.
    pub fn keep_sources(&mut self, sources: Vec<SourcePositions>) {
        let is_replay = |source: &SourcePositions| source.source.starts_with(LETTERS_OF);
        let replay = sources.iter().any(is_replay);
        self.sources.retain(|known| is_replay(known) != replay);
        self.sources.extend(sources);
    }

    /// The lowest number for a sink's next file.
    pub fn next_number(&self, sink: &str) -> u64 {
        self.next_numbers.iter().find(|known| known.sink == sink).map_or(1, |known| known.number)
    }
}

impl SourcePositions {
    /// The positions of a source, for the manifest.
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

/// The writer of a manifest whose version is unknown.
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

/// The checksum in the first line. From version 3 on it covers the version, so that a manifest whose version was changed to an
/// older one is refused.
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
        let partition = |origin: &str, number| Partition::new(origin, number);
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
        assert_eq!(read.positions("in").get(&Partition::new("in", 1)), Some(Positions::END));
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
        let partition = Partition::new("in", 0);
        assert_eq!((read.get(&partition), read.mark(&partition)), (Some(3), None));
        let read = StateManifest::from_bytes(&of("1", body)).unwrap();
        assert_eq!((read.commits, read.written_by.as_str()), (3, ""));
        let said = |version: &str, body: &str| StateManifest::from_bytes(&of(version, body)).unwrap_err().to_string();
        let body_of_3 = body.replace(
            r#""sources":[]"#,
            r#""written_by":"weir 0.2.0","sources":[{"source":"in","partitions":[{"origin":"in","number":0,"next":3,"topic_id":"ID"}]}]"#,
        );
        let good = body_of_3.replace("\"ID\"", "\"TH_hal5BTCuhPtKYkolFvw\"");
        let partition = Partition::new("in", 0);
        assert!(StateManifest::from_bytes(&of("3", &good)).unwrap().positions("in").topic(&partition).is_some());
        assert!(said("3", &body_of_3).contains("a topic id must have 22 base64 characters"));
        let later = said("4", r#"{"written_by":"weir 9.9.9","query":{"anything":[1]}}"#);
        assert!(later.starts_with("it has version 4, written by weir 9.9.9, but this program (weir "), "{later}");
        assert!(said("5", "no JSON").starts_with("it has version 5, written by another program"));
        assert!(said("\u{1b}[31m", "{}").starts_with("it has version \\u{1b}[31m, "));
    }
}
