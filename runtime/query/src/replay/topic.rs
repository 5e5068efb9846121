//! Letters in a topic.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use weir_batch::Fault;

use weir_files::Folder;
use weir_sources::{Backlog, BacklogError, BacklogMessage};
use weir_state::{LetterMessage, damaged_line};

use weir_letters::{Locked, folder_of, lock};
use weir_plan::{DeadLettersPlan, Plan};

/// A topic's letters that no replay has taken yet: those behind the positions of the group `<tenant>.<name>.letters`.
/// They are read to the end that the topic has, and go on to a file; the positions are kept when that is durable.
/// Letters of one partition stay in their order.
pub struct TopicLetters {
    topic: String,
    backlog: Backlog,
}

/// Letters that could not be brought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopicLettersError {
    /// The brokers did not answer, or refused, or the topic's end did not come.
    #[error("dead letters in topic {topic}: {source}")]
    Kafka {
        /// The topic.
        topic: String,
        /// What happened.
        source: BacklogError,
    },
    /// A replay is going on.
    #[error("{}: in use: its dead letters are being replayed", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl TopicLettersError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            TopicLettersError::Kafka { source, .. } => source.fault(),
            TopicLettersError::InUse { .. } | TopicLettersError::Io { .. } => Fault::External,
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            TopicLettersError::Kafka { source, .. } => source.retryable(),
            TopicLettersError::InUse { .. } => true,
            TopicLettersError::Io { .. } => false,
        }
    }
}

impl TopicLetters {
    /// Reads the new letters of the plan's topic, and appends them to the file, a line each; `None` where the plan's
    /// letters are in no topic. Nobody else notices until [`TopicLetters::taken`].
    ///
    /// # Errors
    ///
    /// Brokers that do not answer, or a file that cannot be written.
    pub fn fetch(plan: &Plan, to: &Path) -> Result<Option<TopicLetters>, TopicLettersError> {
        let Some(DeadLettersPlan::Kafka(config)) = &plan.dead_letters else { return Ok(None) };
        let io = |source| TopicLettersError::Io { path: to.to_owned(), source };
        // Held while it is written: a replay puts another file in its place.
        let (folder, name) = (folder_of(to), to.file_name().unwrap_or_default());
        // A copy to be looked at is outside of the tenant's folders.
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
        let group = format!("{}.{}.letters", plan.tenant, plan.name);
        let read =
            Backlog::read(&config.connection, &config.topic, &group, |message| lines.write_all(&line_of(message)?));
        let backlog = read.map_err(|error| match error {
            BacklogError::Taker(source) => io(source),
            source => TopicLettersError::Kafka { topic: config.topic.clone(), source },
        })?;
        let file = lines.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        Ok(Some(TopicLetters { topic: config.topic.clone(), backlog }))
    }

    /// Keeps the positions: the letters are in the file now, and nowhere else to be looked for.
    ///
    /// # Errors
    ///
    /// What the brokers answer. The letters come again then.
    pub fn taken(self) -> Result<(), TopicLettersError> {
        let topic = self.topic;
        self.backlog.keep().map_err(|source| TopicLettersError::Kafka { topic, source })
    }
}

/// A message as a line of the file: as a letter of today's form where it says that it is one, else its value as it is, as
/// letters of version 1 were written.
fn line_of(message: &BacklogMessage<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let read = LetterMessage { key: own(message.key), value: own(message.value), headers: message.headers.clone() };
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
            (message.partition, message.offset),
            (read.key.as_deref(), read.value.as_deref()),
            &read.headers,
        ),
    }
}
