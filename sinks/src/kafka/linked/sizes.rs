//! How large a record may be, asked of the topic and measured before the record is handed over.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};

use super::KafkaCompression;
use super::client::client_config;
use super::deliveries::Deliveries;
use super::record::{Record, batch_bytes};
use crate::RowRefusal;
use weir_kafka::KafkaSide;
use weir_kafka::{KafkaConnection, KafkaProblem};

/// The topic's own limit, of a batch of records after compression.
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// The client's, which librdkafka checks before compression.
pub(super) const MESSAGE_MAX_BYTES: &str = "message.max.bytes";
pub(super) const BATCH_SIZE: &str = "batch.size";
const QUEUE_KBYTES: &str = "queue.buffering.max.kbytes";
/// What a query may hold in memory unless its options say otherwise; librdkafka's own default is a gibibyte.
pub(super) const QUEUE_KBYTES_DEFAULT: u64 = 65_536;
/// librdkafka's default of `batch.size`.
const BATCH_SIZE_DEFAULT: u64 = 1_000_000;
/// librdkafka's most for `message.max.bytes`.
const MESSAGE_MAX_BYTES_MOST: u64 = 1_000_000_000;
/// librdkafka's default of `message.max.bytes`.
const MESSAGE_MAX_BYTES_DEFAULT: u64 = 1_000_000;

/// How long a broker that answered before may take to tell a topic's settings.
const ANSWER_AT_MOST: Duration = Duration::from_secs(5);

/// The limits of topics that told theirs.
pub(super) type TopicLimits = BTreeMap<String, u64>;

/// Asks the brokers how large a message of these topics may be. A topic that does not tell (the user may not ask, the broker
/// does not know the question) is left out: then the broker alone refuses.
///
/// # Errors
///
/// Brokers that do not answer.
pub(super) fn ask(
    connection: &KafkaConnection,
    topics: &[&str],
    timeout: Duration,
) -> Result<TopicLimits, KafkaProblem> {
    let mut limits = TopicLimits::new();
    if topics.is_empty() {
        return Ok(limits);
    }
    if reach(connection, timeout)? == Answers::Nothing {
        return Ok(limits);
    }
    let config = client_config(connection, KafkaSide::Both);
    let admin = AdminClient::from_config_and_context(&config, Deliveries::of(connection));
    let admin: AdminClient<Deliveries> = admin.map_err(|error| KafkaProblem::of_settings(connection, &error))?;
    let asked: Vec<ResourceSpecifier<'_>> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let options = AdminOptions::new().request_timeout(Some(timeout.min(ANSWER_AT_MOST)));
    let runtime = tokio::runtime::Handle::current();
    let answers = match runtime.block_on(admin.describe_configs(&asked, &options)) {
        Ok(answers) => answers,
        Err(error) => {
            unknown(topics, &error);
            return Ok(limits);
        }
    };
    for (topic, answer) in topics.iter().zip(answers) {
        let told = match answer {
            Ok(resource) => resource.get(MAX_MESSAGE_BYTES).and_then(|entry| entry.value.as_deref()?.parse().ok()),
            // A topic that does not exist is reported by the write to it.
            Err(Code::UnknownTopic | Code::UnknownTopicOrPartition) => None,
            Err(code) => {
                unknown(&[topic], &KafkaError::AdminOp(code));
                None
            }
        };
        told.map(|bytes_max| limits.insert((*topic).to_owned(), bytes_max));
    }
    Ok(limits)
}

/// Whether brokers answer questions about their topics' settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    All,
    Nothing,
}

/// Waits until a broker answers at all, so that the error of an unreachable one has its reason.
fn reach(connection: &KafkaConnection, timeout: Duration) -> Result<Answers, KafkaProblem> {
    let config = client_config(connection, KafkaSide::Producer);
    let client = BaseProducer::from_config_and_context(&config, Deliveries::of(connection));
    let client: BaseProducer<Deliveries> = client.map_err(|error| KafkaProblem::of_settings(connection, &error))?;
    if let Err(error) = client.client().fetch_metadata(None, timeout) {
        // Takes in what the connection met with.
        client.poll(Duration::from_millis(10));
        return Err(client.context().unreachable(&error, timeout));
    }
    // librdkafka's mock cluster leaves the question open until it times out.
    let cluster = client.client().fetch_cluster_id(Duration::ZERO);
    let is_mock = cluster.is_some_and(|id| id.starts_with("mockCluster"));
    Ok(if is_mock { Answers::Nothing } else { Answers::All })
}

fn unknown(topics: &[&str], error: &KafkaError) {
    tracing::debug!("{MAX_MESSAGE_BYTES} of {} is unknown: {error}", topics.join(", "));
}

/// The settings of a producer, so that it neither refuses what a topic takes nor makes batches that a topic refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProducerSizes {
    pub(super) message_bytes_max: Option<u64>,
    pub(super) batch_bytes_max: Option<u64>,
}

impl ProducerSizes {
    /// For a producer of these topics. What the options say is not changed.
    pub(super) fn of(connection: &KafkaConnection, topics: &[&str], limits: &TopicLimits) -> ProducerSizes {
        let known: Vec<u64> = topics.iter().filter_map(|topic| limits.get(*topic).copied()).collect();
        let is_set = |name: &str| connection.options.contains_key(name);
        let all_known = !known.is_empty() && known.len() == topics.len();
        let smallest = known.iter().copied().min().filter(|&bytes| bytes < BATCH_SIZE_DEFAULT);
        ProducerSizes {
            message_bytes_max: (all_known && !is_set(MESSAGE_MAX_BYTES)).then_some(MESSAGE_MAX_BYTES_MOST),
            batch_bytes_max: smallest.filter(|_| !is_set(BATCH_SIZE)).map(|bytes| bytes.max(1)),
        }
    }
}

/// What a sink measures its records against.
#[derive(Clone, Debug)]
pub(super) struct SizeLimits {
    topic: String,
    // Measured only where records are not compressed: else the broker alone knows what remains.
    topic_bytes_max: Option<u64>,
    queue_bytes_max: u64,
    client_bytes_max: u64,
}

impl SizeLimits {
    pub(super) fn new(
        topic: &str,
        connection: &KafkaConnection,
        compression: KafkaCompression,
        (limits, sizes): (&TopicLimits, ProducerSizes),
    ) -> SizeLimits {
        let option = |name: &str| connection.options.get(name).and_then(|value| value.parse::<u64>().ok());
        let known = limits.get(topic).copied();
        SizeLimits {
            topic: topic.to_owned(),
            topic_bytes_max: known.filter(|_| compression == KafkaCompression::None),
            queue_bytes_max: option(QUEUE_KBYTES).unwrap_or(QUEUE_KBYTES_DEFAULT).saturating_mul(1024),
            client_bytes_max: option(MESSAGE_MAX_BYTES)
                .or(sizes.message_bytes_max)
                .unwrap_or(MESSAGE_MAX_BYTES_DEFAULT),
        }
    }

    /// Why the record cannot be handed over.
    pub(super) fn refuse(&self, record: &Record<'_>) -> Option<RowRefusal> {
        let too_large =
            |bytes, bytes_max, limit, remedy| Some(RowRefusal::TooLarge { bytes, bytes_max, limit, remedy });
        let value = record.payload.map_or(0, <[u8]>::len) as u64;
        if value > self.queue_bytes_max {
            let limit = format!("`{QUEUE_KBYTES}` of the sink");
            return too_large(value, self.queue_bytes_max, limit, "`queue.buffering.max.kbytes` in its `options`");
        }
        let bytes_max = self.topic_bytes_max?;
        let bytes = batch_bytes(record);
        (bytes > bytes_max).then(|| RowRefusal::TooLarge {
            bytes,
            bytes_max,
            limit: format!("topic `{}`", self.topic),
            remedy: "`max.message.bytes` of the topic",
        })
    }

    /// What librdkafka's refusal of a record means.
    pub(super) fn refused_by_client(&self, bytes: u64) -> RowRefusal {
        RowRefusal::TooLarge {
            bytes,
            bytes_max: self.client_bytes_max,
            limit: format!("`{MESSAGE_MAX_BYTES}` of the client"),
            remedy: "`message.max.bytes` in the sink's `options`",
        }
    }

    /// What a broker's refusal of a record means.
    pub(super) fn refused_by_broker(&self, bytes: u64, problem: KafkaProblem) -> RowRefusal {
        let remedy = match problem {
            KafkaProblem::MessageTooLarge(_) => "raise `max.message.bytes` of the topic",
            _ => "see the topic's settings",
        };
        RowRefusal::ByBroker { topic: self.topic.clone(), bytes, problem, remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_exactly_is_taken() {
        let connection = KafkaConnection::new("any:1");
        let limits = TopicLimits::from([("t".to_owned(), 1000)]);
        let sizes = ProducerSizes::of(&connection, &["t"], &limits);
        assert_eq!((sizes.message_bytes_max, sizes.batch_bytes_max), (Some(1_000_000_000), Some(1000)));
        let measured = SizeLimits::new("t", &connection, KafkaCompression::None, (&limits, sizes));
        let value = vec![0; 2000];
        let refused = |bytes: usize| {
            let mut record: Record<'_> = Record::to("t");
            record.payload = value.get(..bytes);
            measured.refuse(&record).map(|why| why.to_string())
        };
        // 61 + 2 of the record's length + 3 + 1 + 2 of the value's + 930 + 1.
        assert_eq!(refused(929), None);
        assert_eq!(refused(930), None);
        let text = "it has 1001 bytes, but topic `t` allows only 1000: raise `max.message.bytes` of the topic";
        assert_eq!(refused(931).as_deref(), Some(text));
        // Of what is compressed only the broker knows.
        let compressed = SizeLimits::new("t", &connection, KafkaCompression::Zstd, (&limits, sizes));
        let mut record: Record<'_> = Record::to("t");
        record.payload = Some(&value);
        assert_eq!(compressed.refuse(&record), None);
    }
}
