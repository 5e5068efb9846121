//! The contract, for every format of values, with and without transactions.

use std::io::{Seek, Write};
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::Schema;
use weir_formats::{Format, open_decoder, open_encoder};
use weir_sinks::conformance::{ReadBack, SinkPlace, check};
use weir_sinks::{KafkaSink, KafkaSinkConfig, KafkaTransactions, KafkaValue, Sink, SinkError, TransactionSettings};

use super::cluster::Cluster;

/// A topic of one partition for each sink, so that the order can be told.
struct Topics {
    cluster: Cluster,
    config: KafkaSinkConfig,
    transactional: bool,
    count: usize,
    refuses_text_above: Option<usize>,
}

impl Topics {
    fn new(value: KafkaValue, transactional: bool) -> Topics {
        let cluster = Cluster::new();
        let mut config = KafkaSinkConfig::new(cluster.connection(), "none");
        config.value = value;
        Topics { cluster, config, transactional, count: 0, refuses_text_above: None }
    }

    fn format(&self) -> Format {
        match self.config.value {
            KafkaValue::JsonLines => Format::JsonLines,
            KafkaValue::Csv => Format::Csv,
            _ => Format::Bincode,
        }
    }
}

#[async_trait]
impl SinkPlace for Topics {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.count += 1;
        self.config.topic = format!("topic-{}", self.count);
        self.cluster.topic(&self.config.topic, 1);
        if !self.transactional {
            return Ok(Box::new(KafkaSink::open(&self.config, schema).await?));
        }
        let (id, settings) = (format!("id-{}", self.count), TransactionSettings::default());
        let transactions = KafkaTransactions::open(&self.config.connection, &id, &settings).await.unwrap();
        Ok(Box::new(transactions.sink(&self.config, schema).await?))
    }

    fn refuses_text_above(&self) -> Option<usize> {
        self.refuses_text_above
    }

    async fn read_back(&mut self, schema: &Arc<Schema>) -> ReadBack {
        let values = self.cluster.read(&self.config.topic).await;
        let values: Vec<Vec<u8>> = values.into_iter().map(|message| message.value.unwrap()).collect();
        let format = self.format();
        let mut file = tempfile::tempfile().unwrap();
        // Values alone are no file: what begins one is the encoder's own, written over no records.
        let begin = tempfile::NamedTempFile::new().unwrap();
        let mut encoder = open_encoder(format, schema, begin.reopen().unwrap()).unwrap();
        encoder.flush().unwrap();
        file.write_all(&std::fs::read(begin.path()).unwrap()).unwrap();
        for value in &values {
            match format {
                Format::Bincode => {
                    file.write_all(&u32::try_from(value.len()).unwrap().to_le_bytes()).unwrap();
                    file.write_all(value).unwrap();
                }
                _ => {
                    file.write_all(value).unwrap();
                    file.write_all(b"\n").unwrap();
                }
            }
        }
        if format == Format::Bincode {
            // The last frame, of as many records: its number stands in the fewest bytes that hold it.
            let records = values.len() as u64;
            let mut frame = vec![2];
            match records {
                0..=250 => frame.push(u8::try_from(records).unwrap()),
                _ => {
                    frame.push(251);
                    frame.extend(u16::try_from(records).unwrap().to_le_bytes());
                }
            }
            file.write_all(&u32::try_from(frame.len()).unwrap().to_le_bytes()).unwrap();
            file.write_all(&frame).unwrap();
        }
        file.rewind().unwrap();
        let mut decoder = open_decoder(format, file, Some(schema), 1000).unwrap();
        let mut batches = Vec::new();
        loop {
            match decoder.next() {
                Ok(None) => return ReadBack::Batches(batches),
                Ok(Some(decoded)) if decoded.bad.is_empty() => batches.push(Arc::new(decoded.batch)),
                other => return ReadBack::Torn(format!("{other:?}")),
            }
        }
    }
}

#[tokio::test]
async fn topics_that_take_small_messages_conform() {
    for transactional in [false, true] {
        let mut topics = Topics::new(KafkaValue::JsonLines, transactional);
        topics.config.connection = topics.config.connection.clone().with("message.max.bytes", "5000");
        topics.refuses_text_above = Some(5000);
        check(&mut topics).await.unwrap();
    }
}

#[tokio::test]
async fn topics_conform() {
    for value in [KafkaValue::JsonLines, KafkaValue::Csv, KafkaValue::Bincode] {
        check(&mut Topics::new(value, false)).await.unwrap();
    }
}

/// Without regard to what is visible, which the mock does not know.
#[tokio::test]
async fn topics_in_transactions_conform() {
    check(&mut Topics::new(KafkaValue::JsonLines, true)).await.unwrap();
}
