//! Converts words of query files to the types that they mean.

use weir_admission::Isolation;
use weir_config::{
    CompressionWord, IfExistsWord, IsolationWord, NexmarkWord, OnChangeWord, OutOfRangeWord, PartitionerWord,
    ReadFormat, ReadIsolationWord, RecordWord, StdoutWord, WriteFormat,
};
use weir_formats::{Format, RecordFormat};
use weir_sinks::{IfExists, KafkaCompression, KafkaPartitioner, StdoutFormat};

use weir_sources::NexmarkStream;
use weir_sources::{KafkaIsolation, KafkaOutOfRange, OnChange};

macro_rules! words {
    ($($name:ident: $Word:ident => $Kind:ident { $($word:ident => $kind:ident),+ })+) => {
        $(pub(super) const fn $name(word: $Word) -> $Kind {
            match word { $($Word::$word => $Kind::$kind),+ }
        })+
    };
}

words! {
    read_format: ReadFormat => Format { JsonLines => JsonLines, Csv => Csv, Parquet => Parquet, ArrowIpc => ArrowIpc }
    write_format: WriteFormat => Format {
        JsonLines => JsonLines, Csv => Csv, Parquet => Parquet, ArrowIpc => ArrowIpc, Bincode => Bincode
    }
    record_format: RecordWord => RecordFormat { JsonLines => JsonLines, Csv => Csv, Bincode => Bincode, Raw => Raw }
    stdout_format: StdoutWord => StdoutFormat { Table => Table, JsonLines => JsonLines, Csv => Csv }
    if_exists: IfExistsWord => IfExists { Fail => Fail, Replace => Replace }
    isolation: IsolationWord => Isolation { Reuse => Reuse, Fresh => FreshPerBatch }
    on_change: OnChangeWord => OnChange { Fail => Fail, Follow => Follow }
    nexmark: NexmarkWord => NexmarkStream { Bid => Bid, Auction => Auction, Person => Person }
    out_of_range: OutOfRangeWord => KafkaOutOfRange { Fail => Fail, Earliest => Earliest, Latest => Latest }
    read_isolation: ReadIsolationWord => KafkaIsolation {
        ReadCommitted => ReadCommitted, ReadUncommitted => ReadUncommitted
    }
    compression: CompressionWord => KafkaCompression { None => None, Gzip => Gzip, Snappy => Snappy, Lz4 => Lz4, Zstd => Zstd }
    partitioner: PartitionerWord => KafkaPartitioner {
        Murmur2Random => Murmur2Random, Murmur2 => Murmur2, ConsistentRandom => ConsistentRandom,
        Consistent => Consistent, Fnv1aRandom => Fnv1aRandom, Fnv1a => Fnv1a, Random => Random, Keep => Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_formats::{Format as Files, RecordFormat as Records};

    /// Each word equals the name of its type, and all named types have a word.
    #[test]
    fn words_are_the_names_of_what_they_mean() {
        macro_rules! check {
            ($($Word:ident by $name:ident: $all:expr;)+) => {
                $(let names: Vec<(&str, &str)> = $Word::ALL.iter().map(|word| (word.name(), $name(*word).name())).collect();
                assert!(names.iter().all(|(word, name)| word == name), "{names:?}");
                let all: Vec<&str> = $all.iter().map(|it| it.name()).collect();
                assert!(all.iter().all(|name| names.iter().any(|(word, _)| word == name)), "{all:?} {names:?}");)+
            };
        }
        let readable: Vec<Files> = Files::ALL.into_iter().filter(|format| format.can_decode()).collect();
        check! {
            ReadFormat by read_format: readable;
            WriteFormat by write_format: Files::ALL;
            RecordWord by record_format: Records::ALL;
            NexmarkWord by nexmark: [NexmarkStream::Bid, NexmarkStream::Auction, NexmarkStream::Person];
            OutOfRangeWord by out_of_range: [KafkaOutOfRange::Fail, KafkaOutOfRange::Earliest, KafkaOutOfRange::Latest];
            ReadIsolationWord by read_isolation: [KafkaIsolation::ReadCommitted, KafkaIsolation::ReadUncommitted];
            CompressionWord by compression: KafkaCompression::ALL;
            PartitionerWord by partitioner: KafkaPartitioner::ALL;
        }
    }
}
