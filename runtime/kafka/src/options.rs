//! The options of librdkafka that a query file may set.

/// The clients to which an option applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KafkaSide {
    /// Consumers and producers.
    Both,
    /// Consumers.
    Consumer,
    /// Producers.
    Producer,
}

impl KafkaSide {
    /// Whether an option of this side applies to a client of the other side.
    pub(crate) fn concerns(self, client: KafkaSide) -> bool {
        self == client || self == KafkaSide::Both || client == KafkaSide::Both
    }
}

/// An option that a query file may set, under librdkafka's own name
/// (<https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaOption {
    /// The name.
    pub name: &'static str,
    /// The clients to which it applies.
    pub side: KafkaSide,
    /// Whether its value is a password or a private key.
    pub secret: bool,
    /// Whether its value is free text: then it is hidden in texts of librdkafka.
    pub free: bool,
}

const fn option(name: &'static str, side: KafkaSide) -> KafkaOption {
    KafkaOption { name, side, secret: false, free: false }
}

const fn both(name: &'static str) -> KafkaOption {
    option(name, KafkaSide::Both)
}

const fn secret(name: &'static str) -> KafkaOption {
    KafkaOption { name, side: KafkaSide::Both, secret: true, free: true }
}

const fn free(name: &'static str) -> KafkaOption {
    KafkaOption { name, side: KafkaSide::Both, secret: false, free: true }
}

const fn consumer(name: &'static str) -> KafkaOption {
    option(name, KafkaSide::Consumer)
}

const fn producer(name: &'static str) -> KafkaOption {
    option(name, KafkaSide::Producer)
}

/// All other options are refused, because a query file is a tenant's. librdkafka has options that load a library
/// (`plugin.library.paths`, `ssl.providers`, `ssl.engine.*`), run a command (`sasl.kerberos.kinit.cmd`), read a file (`*.location`,
/// `*.keytab`, `sasl.oauthbearer.assertion.*`), call any URL (`sasl.oauthbearer.*`), turn off certificate checks, or change
/// settings on which a delivery guarantee depends (`acks`, `enable.idempotence`, `retries`, `enable.auto.commit`,
/// `isolation.level`). Settings that sources and sinks have keys for (topic, group, compression, partitioner) are not included
/// either.
pub(crate) static ALLOWED: &[KafkaOption] = &[
    both("broker.address.family"),
    both("broker.address.ttl"),
    both("client.dns.lookup"),
    free("client.id"),
    free("client.rack"),
    both("connections.max.idle.ms"),
    both("message.max.bytes"),
    both("metadata.max.age.ms"),
    both("receive.message.max.bytes"),
    both("reconnect.backoff.max.ms"),
    both("reconnect.backoff.ms"),
    both("retry.backoff.max.ms"),
    both("retry.backoff.ms"),
    both("sasl.mechanism"),
    both("sasl.mechanisms"),
    secret("sasl.password"),
    free("sasl.username"),
    both("security.protocol"),
    both("socket.connection.setup.timeout.ms"),
    both("socket.keepalive.enable"),
    both("socket.nagle.disable"),
    both("socket.receive.buffer.bytes"),
    both("socket.send.buffer.bytes"),
    both("socket.timeout.ms"),
    free("ssl.ca.pem"),
    free("ssl.certificate.pem"),
    free("ssl.cipher.suites"),
    free("ssl.curves.list"),
    secret("ssl.key.password"),
    secret("ssl.key.pem"),
    free("ssl.sigalgs.list"),
    both("topic.metadata.propagation.max.ms"),
    both("topic.metadata.refresh.fast.interval.ms"),
    both("topic.metadata.refresh.interval.ms"),
    consumer("check.crcs"),
    consumer("fetch.error.backoff.ms"),
    consumer("fetch.max.bytes"),
    consumer("fetch.message.max.bytes"),
    consumer("fetch.min.bytes"),
    consumer("fetch.queue.backoff.ms"),
    consumer("fetch.wait.max.ms"),
    consumer("heartbeat.interval.ms"),
    consumer("max.poll.interval.ms"),
    consumer("queued.max.messages.kbytes"),
    consumer("queued.min.messages"),
    consumer("session.timeout.ms"),
    producer("batch.num.messages"),
    producer("batch.size"),
    producer("compression.level"),
    producer("linger.ms"),
    producer("message.timeout.ms"),
    producer("queue.buffering.backpressure.threshold"),
    producer("queue.buffering.max.kbytes"),
    producer("queue.buffering.max.messages"),
    producer("request.timeout.ms"),
    producer("sticky.partitioning.linger.ms"),
    producer("transaction.timeout.ms"),
];

/// The allowed option of this name.
pub(crate) fn find(name: &str) -> Option<&'static KafkaOption> {
    ALLOWED.iter().find(|option| option.name == name)
}

/// The allowed name that is most similar to this one, if any is similar.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    weir_text::nearest_of_alike(name, ALLOWED.iter().map(|option| option.name))
}

/// The login mechanisms that need neither a command nor a URL of the query's choice. GSSAPI, librdkafka's default, runs `kinit`.
pub(crate) const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
