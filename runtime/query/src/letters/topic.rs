//! Letters in a topic, brought into a file beside the query.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};
use weir_files::Folder;
use weir_sinks::KafkaSide;

use crate::file::{DeadLettersPlan, Plan};
use crate::run::{Locked, lock};
use crate::source::{legible, passes};

use super::json::damaged_line;
use super::{Header, LetterMessage, folder_of};

/// A topic's letters that no replay has taken yet: those behind the positions of the group `<tenant>.<name>.letters`.
/// They are read to the end that the topic has, and go on to a file; the positions are kept when that is durable.
/// Letters of one partition stay in their order.
pub struct TopicLetters {
    consumer: BaseConsumer,
    topic: String,
    next: TopicPartitionList,
}

/// Letters that could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum TopicLettersError {
    /// The brokers did not answer, or refused.
    #[error("dead letters in topic {topic}: {source}")]
    Kafka {
        /// The topic.
        topic: String,
        /// What librdkafka says.
        source: KafkaError,
    },
    /// The topic's end did not come.
    #[error("dead letters in topic {topic}: its end did not come within {} s: are all brokers up?", patience.as_secs())]
    NoEnd {
        /// The topic.
        topic: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// A replay is going on.
    #[error("{}: in use: its letters are being replayed", path.display())]
    InUse {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What the client holds of each partition, which are few.
const QUEUED_KBYTES: (&str, &str) = ("queued.max.messages.kbytes", "8192");

/// How long brokers are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

impl TopicLetters {
    /// Reads the new letters of the plan's topic, and appends them to the file, a line each; `None` where the plan's
    /// letters are in no topic. Nobody else notices until [`TopicLetters::taken`].
    ///
    /// # Errors
    ///
    /// Brokers that do not answer, or a file that cannot be written.
    pub fn fetch(plan: &Plan, to: &Path) -> Result<Option<TopicLetters>, TopicLettersError> {
        let Some(DeadLettersPlan::Kafka(config)) = &plan.dead_letters else { return Ok(None) };
        let topic = config.topic.clone();
        let kafka = |source| TopicLettersError::Kafka { topic: topic.clone(), source };
        let mut settings = config.connection.client_config_for(KafkaSide::Consumer);
        if !config.connection.options.contains_key(QUEUED_KBYTES.0) {
            settings.set(QUEUED_KBYTES.0, QUEUED_KBYTES.1);
        }
        let consumer: BaseConsumer = settings
            .set("group.id", format!("{}.{}.letters", plan.tenant, plan.name))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .create()
            .map_err(kafka)?;
        let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).map_err(kafka)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
        let mut open: BTreeSet<i32> = partitions.collect();
        let mut asked = TopicPartitionList::new();
        for &partition in &open {
            asked.add_partition(&topic, partition);
        }
        let kept = committed(&consumer, asked).map_err(kafka)?;
        let mut next = TopicPartitionList::new();
        for partition in kept.elements() {
            let from = match partition.offset() {
                Offset::Offset(offset) => Offset::Offset(offset),
                _ => Offset::Beginning,
            };
            next.add_partition_offset(&topic, partition.partition(), from).map_err(kafka)?;
        }
        drop(kept);
        consumer.assign(&next).map_err(kafka)?;

        let io = |source| TopicLettersError::Io { path: to.to_owned(), source };
        // Held while it is written: a replay puts another file in its place.
        let (folder, name) = (folder_of(to), to.file_name().unwrap_or_default());
        // A copy to be looked at lies outside of the tenant's folders.
        let folder = match plan.folders.root_of(to) {
            Some(_) => plan.folders.folder(folder),
            None => Folder::open(folder),
        };
        let folder = folder.map_err(io)?;
        let file = loop {
            let file = folder.append(name).map_err(io)?;
            match lock(&file, &folder, name).map_err(io)? {
                Locked::Held => break file,
                Locked::Moved => {}
                Locked::InUse => return Err(TopicLettersError::InUse { path: to.to_owned() }),
            }
        };
        let mut lines = BufWriter::new(file);
        let mut heard = Instant::now();
        while !open.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                None if heard.elapsed() > PATIENCE => {
                    return Err(TopicLettersError::NoEnd { topic, patience: PATIENCE });
                }
                None => continue,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                // A broker that is away comes back, or the patience ends.
                Some(Err(error)) if !matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                    tracing::debug!("{error}");
                    continue;
                }
                Some(Err(error)) => return Err(kafka(error)),
                Some(Ok(message)) => {
                    // What came behind the end that was seen is for the next time.
                    if !open.contains(&message.partition()) {
                        continue;
                    }
                    lines.write_all(&line_of(&message).map_err(|error| io(error.into()))?).map_err(io)?;
                    let offset = Offset::Offset(message.offset().saturating_add(1));
                    next.set_partition_offset(&topic, message.partition(), offset).map_err(kafka)?;
                }
            }
            heard = Instant::now();
        }
        let file = lines.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        Ok(Some(TopicLetters { consumer, topic, next }))
    }

    /// Keeps the positions: the letters are in the file now, and nowhere else to be looked for.
    ///
    /// # Errors
    ///
    /// What the brokers answer. The letters come again then.
    pub fn taken(self) -> Result<(), TopicLettersError> {
        let mut read = TopicPartitionList::new();
        let kafka = |source| TopicLettersError::Kafka { topic: self.topic.clone(), source };
        for partition in self.next.elements() {
            if let Offset::Offset(_) = partition.offset() {
                read.add_partition_offset(&self.topic, partition.partition(), partition.offset()).map_err(kafka)?;
            }
        }
        if read.count() > 0 {
            self.consumer.commit(&read, CommitMode::Sync).map_err(kafka)?;
        }
        Ok(())
    }
}

/// The positions that the group has kept. A coordinator that is just being made, or moves, is waited for.
fn committed(consumer: &BaseConsumer, asked: TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    let began = Instant::now();
    loop {
        match consumer.committed_offsets(asked.clone(), PATIENCE) {
            Err(error) if error.rdkafka_error_code().is_some_and(passes) && began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}

/// A message as a line of the file: as a letter of today's form where it says that it is one, else its value as it is, as
/// letters of version 1 were written.
fn line_of(message: &BorrowedMessage<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut headers: Vec<Header> = Vec::new();
    if let Some(found) = message.headers() {
        for index in 0..found.count() {
            let (name, value) = legible(|| found.try_get(index).map(|header| (header.key, header.value)));
            headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
        }
    }
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let read = LetterMessage { key: own(message.key()), value: own(message.payload()), headers };
    let Some(letter) = read.read() else {
        // A message without a value is no letter of version 1. A letter is one line; what somebody else wrote need not be.
        let Some(value) = read.value else { return Ok(Vec::new()) };
        return Ok(value.into_iter().map(|byte| if byte == b'\n' { b' ' } else { byte }).chain([b'\n']).collect());
    };
    match letter {
        Ok(letter) => {
            let mut line = Vec::new();
            letter.write_line(&mut line)?;
            Ok(line)
        }
        Err(reason) => damaged_line(
            &reason,
            (message.partition(), message.offset()),
            (read.key.as_deref(), read.value.as_deref()),
            &read.headers,
        ),
    }
}
