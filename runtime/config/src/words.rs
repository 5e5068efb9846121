//! Words: the values of keys that take one of a few.

/// An enum of the words that a key takes.
pub trait Words: Copy + Sized + 'static {
    /// Each word and what it means.
    const WORDS: &'static [(&'static str, Self)];

    /// The word.
    fn word(self) -> &'static str;
}

macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $Name:ident { $($(#[$doc:meta])+ $Word:ident = $text:literal,)+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $Name { $($(#[$doc])+ $Word,)+ }

        impl $Name {
            /// All of them, in the order of the docs.
            pub const ALL: &'static [$Name] = &[$($Name::$Word),+];

            /// The word in files.
            pub const fn name(self) -> &'static str {
                match self { $($Name::$Word => $text,)+ }
            }
        }

        impl Words for $Name {
            const WORDS: &'static [(&'static str, $Name)] = &[$(($text, $Name::$Word)),+];

            fn word(self) -> &'static str {
                self.name()
            }
        }
    };
}

words! {
    /// The kinds of source.
    pub enum SourceWord {
        /// Files.
        File = "file",
        /// Topics.
        Kafka = "kafka",
        /// The seed workload.
        Generator = "generator",
        /// A stream of the Nexmark auction benchmark.
        Nexmark = "nexmark",
        /// What the embedding program registered.
        Custom = "custom",
    }
}

words! {
    /// The kinds of sink.
    pub enum SinkWord {
        /// The standard output.
        Stdout = "stdout",
        /// A file, or numbered files.
        File = "file",
        /// A topic.
        Kafka = "kafka",
        /// Counts and drops.
        Count = "count",
        /// What the embedding program registered.
        Custom = "custom",
    }
}

words! {
    /// The kinds of place for dead letters.
    pub enum LettersWord {
        /// A file.
        File = "file",
        /// A topic.
        Kafka = "kafka",
    }
}

words! {
    /// What becomes of a record that fails, or that a sink cannot take.
    #[derive(Default)]
    pub enum ErrorPolicy {
        /// The query ends with an error.
        #[default]
        Fail = "fail",
        /// The record is counted and left out.
        Skip = "skip",
        /// The record is kept, with the error, in the dead letters.
        DeadLetter = "dead_letter",
    }
}

words! {
    /// The words of `on_error` of stages and sinks.
    pub enum OnErrorWord {
        /// The query ends with an error.
        Fail = "fail",
        /// The record is counted and left out.
        Skip = "skip",
        /// The record is kept, with the error, in the dead letters.
        DeadLetter = "dead_letter",
        /// It is tried again, as `retry` says.
        Retry = "retry",
    }
}

words! {
    /// What is promised about every record.
    #[derive(Default)]
    pub enum Guarantee {
        /// Each record reaches every sink; after a crash some may reach it again.
        #[default]
        AtLeastOnce = "at_least_once",
        /// Each record's effect is in the output once, whatever happens: positions and output are committed in one step.
        ExactlyOnce = "exactly_once",
    }
}

words! {
    /// What a query does when what a function kept in its memory is lost.
    pub enum LossPolicy {
        /// It ends with an error.
        Fail = "fail",
        /// It counts the loss, says so, and goes on.
        Warn = "warn",
    }
}

words! {
    /// Whether a stage's instances are used for more than one batch.
    pub enum IsolationWord {
        /// Memory is kept from batch to batch.
        Reuse = "reuse",
        /// A new instance each batch.
        Fresh = "fresh",
    }
}

words! {
    /// The formats of files that can be read.
    pub enum ReadFormat {
        /// One JSON object a record.
        JsonLines = "json_lines",
        /// CSV.
        Csv = "csv",
        /// Apache Parquet.
        Parquet = "parquet",
        /// An Apache Arrow file.
        ArrowIpc = "arrow_ipc",
    }
}

words! {
    /// The formats of files that can be written.
    pub enum WriteFormat {
        /// One JSON object a line.
        JsonLines = "json_lines",
        /// CSV.
        Csv = "csv",
        /// Apache Parquet.
        Parquet = "parquet",
        /// An Apache Arrow file.
        ArrowIpc = "arrow_ipc",
        /// Weir's own binary records.
        Bincode = "bincode",
    }
}

words! {
    /// The formats of a topic's records.
    pub enum RecordWord {
        /// One JSON object.
        JsonLines = "json_lines",
        /// One record of CSV, without a header.
        Csv = "csv",
        /// One record as a Kafka sink writes it.
        Bincode = "bincode",
        /// The bytes as they are.
        Raw = "raw",
    }
}

words! {
    /// The formats of the standard output.
    pub enum StdoutWord {
        /// A table for people.
        Table = "table",
        /// One JSON object a line.
        JsonLines = "json_lines",
        /// CSV.
        Csv = "csv",
    }
}

words! {
    /// What becomes of a file that has changed.
    pub enum OnChangeWord {
        /// The query fails.
        Fail = "fail",
        /// What is new is read.
        Follow = "follow",
    }
}

words! {
    /// What becomes of an output file that exists.
    pub enum IfExistsWord {
        /// The query fails.
        Fail = "fail",
        /// It is replaced.
        Replace = "replace",
    }
}

words! {
    /// What becomes of a partition whose log does not hold the kept position.
    pub enum OutOfRangeWord {
        /// The query fails.
        Fail = "fail",
        /// It goes on at the first record.
        Earliest = "earliest",
        /// It goes on at the end.
        Latest = "latest",
    }
}

words! {
    /// Where a topic's stream ends.
    pub enum UntilWord {
        /// At the end that each partition had when the query started.
        End = "end",
    }
}

words! {
    /// What becomes of records without a value.
    pub enum TombstoneWord {
        /// They are records.
        Keep = "keep",
        /// They are left out.
        Skip = "skip",
    }
}

words! {
    /// Which records of transactions are read.
    pub enum ReadIsolationWord {
        /// Committed ones.
        ReadCommitted = "read_committed",
        /// All.
        ReadUncommitted = "read_uncommitted",
    }
}

words! {
    /// How a record's partition is chosen.
    pub enum PartitionerWord {
        /// The Java client's: by the key's Murmur2 hash, else at random.
        Murmur2Random = "murmur2_random",
        /// By the key's Murmur2 hash.
        Murmur2 = "murmur2",
        /// By the key's CRC32 hash, else at random.
        ConsistentRandom = "consistent_random",
        /// By the key's CRC32 hash.
        Consistent = "consistent",
        /// By the key's FNV-1a hash, else at random.
        Fnv1aRandom = "fnv1a_random",
        /// By the key's FNV-1a hash.
        Fnv1a = "fnv1a",
        /// At random.
        Random = "random",
        /// The partition that the record came from.
        Keep = "keep",
    }
}

words! {
    /// How records are compressed.
    pub enum CompressionWord {
        /// Not at all.
        None = "none",
        /// gzip.
        Gzip = "gzip",
        /// Snappy.
        Snappy = "snappy",
        /// LZ4.
        Lz4 = "lz4",
        /// Zstandard.
        Zstd = "zstd",
    }
}

words! {
    /// The streams of the Nexmark benchmark.
    pub enum NexmarkWord {
        /// Bids on auctions.
        Bid = "bid",
        /// Auctions that were opened.
        Auction = "auction",
        /// People who registered.
        Person = "person",
    }
}

words! {
    /// How the workers of a tenant are divided among its queries.
    pub enum WorkerTier {
        /// One for all of them.
        Standard = "standard",
        /// One for each of them.
        Isolated = "isolated",
    }
}

words! {
    /// What becomes of tenants that a limits file does not name.
    pub enum UnknownTenants {
        /// They have the defaults.
        Defaults = "defaults",
        /// No query may name them.
        Refuse = "refuse",
    }
}
