//! Topics as a source.

use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::Schema;
use weir_state::Positions;

use super::hand_over::HandOver;
use super::keeper::{Keeper, Membership};
use super::place::Known;
use super::poller::Poller;
use super::{KafkaPartitions, KafkaSourceConfig, KafkaSourceError};
use crate::{PositionKeeper, Source, SourceError, SourceEvent};

/// Reads topics, as a member of a consumer group or with partitions of its own choice.
///
/// Batches hold records of one topic and of any of its partitions, with `_key`, `_timestamp`, `_partition` and `_offset`,
/// and `_headers` where a record has one. Dropping it, and its keeper, leaves the group: in the background where that
/// takes longer than a second.
pub struct KafkaSource {
    schema: Arc<Schema>,
    config: Arc<KafkaSourceConfig>,
    membership: Arc<Membership>,
    pub(super) hand_over: Arc<HandOver>,
    // What the polling thread begins with; `None` once it runs.
    at_start: Option<Known>,
}

impl KafkaSource {
    /// A source of these topics. Nothing is asked of any broker before the first event is.
    ///
    /// # Errors
    ///
    /// Settings that do not hold together, or that librdkafka does not take.
    pub fn new(config: KafkaSourceConfig, schema: Arc<Schema>) -> Result<KafkaSource, SourceError> {
        let refuse = |reason: String| config.error(KafkaSourceError::Settings(reason));
        config.validate().map_err(refuse)?;
        config.decoder(&schema).map_err(|error| refuse(error.to_string()))?;
        let hand_over = Arc::new(HandOver::default());
        let membership = Membership::new(&config, &hand_over)?;
        Ok(KafkaSource {
            schema,
            config: Arc::new(config),
            membership: Arc::new(membership),
            hand_over,
            at_start: Some(Known::default()),
        })
    }

    fn start(&mut self, at: Known) -> Result<(), SourceError> {
        let (config, hand_over) = (Arc::clone(&self.config), Arc::clone(&self.hand_over));
        let decoder = config
            .decoder(&self.schema)
            .map_err(|error| config.error(KafkaSourceError::Settings(error.to_string())))?;
        let Some(consumer) = self.membership.consumer() else { return Ok(()) };
        Poller::spawn(config, &self.membership, consumer, hand_over, decoder, at)
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        if self.config.partitions == KafkaPartitions::Group {
            return Err(self.config.error(KafkaSourceError::SeekInGroup { group: self.config.group.clone() }));
        }
        for (partition, _) in positions.iter() {
            if !self.config.topics.iter().any(|topic| **topic == *partition.origin) {
                let found = format!("not in the list of topics {}", self.config.topics.join(", "));
                return Err(SourceError::Moved { kept: partition.clone(), found });
            }
        }
        if let Some(at_start) = &mut self.at_start {
            at_start.given.advance(positions);
        }
        Ok(())
    }

    fn recall(&mut self, committed: &Positions) {
        if let Some(at_start) = &mut self.at_start {
            at_start.recalled.advance(committed);
        }
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        if let Some(at) = self.at_start.take() {
            self.start(at)?;
        }
        self.hand_over.next().await
    }

    fn keeper(&self) -> Option<Arc<dyn PositionKeeper>> {
        Some(Arc::new(Keeper::new(&self.config, &self.membership, &self.hand_over)))
    }

    fn pause(&mut self, paused: bool) -> bool {
        self.hand_over.pause(paused);
        true
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.hand_over.reader_gone();
    }
}
