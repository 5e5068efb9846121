//! Generates the streams.

use std::sync::Arc;

use async_trait::async_trait;
use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::{Auction, Bid, Event, EventType, Person};
use weir_batch::arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use weir_batch::{Batch, BatchError, Schema, SystemColumns};
use weir_state::Positions;

use super::{NexmarkStream, nexmark_schema};
use crate::generator::{generated, generated_position};
use crate::{Source, SourceBatch, SourceError, SourceEvent};

/// 2015-07-15T00:00:00Z, the beginning of the benchmark's own streams; the crate's default is the current time.
const BASE_TIME_MS: u64 = 1_436_918_400_000;

/// Generates a stream. The same settings generate the same records.
pub struct NexmarkSource {
    schema: Arc<Schema>,
    stream: NexmarkStream,
    generator: EventGenerator,
    next_offset: i64,
    left: u64,
    records_max: usize,
}

impl NexmarkSource {
    /// Generates at most `events` records of this stream, in batches of at most `records_max`.
    ///
    /// # Errors
    ///
    /// None in practice: the schema is fixed.
    pub fn new(stream: NexmarkStream, events: u64, records_max: usize) -> Result<NexmarkSource, SourceError> {
        let filter = match stream {
            NexmarkStream::Bid => EventType::Bid,
            NexmarkStream::Auction => EventType::Auction,
            NexmarkStream::Person => EventType::Person,
        };
        let config = NexmarkConfig { base_time: BASE_TIME_MS, ..NexmarkConfig::default() };
        let generator = EventGenerator::new(config).with_type_filter(filter);
        let schema = Arc::new(nexmark_schema(stream)?);
        Ok(NexmarkSource { schema, stream, generator, next_offset: 0, left: events, records_max })
    }

    fn batch(&mut self, rows: usize) -> Result<Batch, BatchError> {
        let events: Vec<Event> = self.generator.by_ref().take(rows).collect();
        let columns =
            match self.stream {
                NexmarkStream::Bid => {
                    bid_columns(&of_type(&events, |event| if let Event::Bid(bid) = event { Some(bid) } else { None }))
                }
                NexmarkStream::Auction => auction_columns(&of_type(&events, |event| {
                    if let Event::Auction(auction) = event { Some(auction) } else { None }
                })),
                NexmarkStream::Person => person_columns(&of_type(&events, |event| {
                    if let Event::Person(person) = event { Some(person) } else { None }
                })),
            };
        let first = self.next_offset;
        self.next_offset = first.saturating_add_unsigned(rows as u64);
        let system = SystemColumns::default().with(|it| {
            it.timestamp =
                Some(TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| micros(event.timestamp()))));
            it.partition = Some(Int32Array::from_value(0, rows));
            it.offset = Some(Int64Array::from_iter_values(first..self.next_offset));
        });
        Batch::new(Arc::clone(&self.schema), columns)?.with_system(system)
    }
}

#[async_trait]
impl Source for NexmarkSource {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Generates the records before the position again and drops them: about a million per second.
    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        let mut skip = generated_position(positions)?.min(self.left);
        self.left -= skip;
        while skip > 0 {
            let rows = usize::try_from(skip).unwrap_or(usize::MAX).min(self.records_max);
            skip -= rows as u64;
            self.batch(rows)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        let rows = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.records_max);
        if rows == 0 {
            return Ok(None);
        }
        self.left -= rows as u64;
        // Generating takes about a microsecond per record, so let other tasks run between batches.
        tokio::task::yield_now().await;
        let batch = self.batch(rows)?;
        let positions = Positions::from_iter([(generated(), self.next_offset)]);
        Ok(Some(SourceEvent::Batch(SourceBatch {
            batch,
            bad: Vec::new(),
            bad_system: None,
            bytes: 0,
            origin: None,
            positions,
        })))
    }
}

fn of_type<'a, T>(events: &'a [Event], pick: impl Fn(&'a Event) -> Option<&'a T>) -> Vec<&'a T> {
    events.iter().filter_map(pick).collect()
}

fn micros(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000)
}

fn i64s<T>(events: &[&T], value: impl Fn(&T) -> usize) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(events.iter().map(|event| i64::try_from(value(event)).unwrap_or(i64::MAX))))
}

fn times<T>(events: &[&T], value: impl Fn(&T) -> u64) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| micros(value(event)))))
}

fn texts<T>(events: &[&T], value: impl Fn(&T) -> &str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(events.iter().map(|event| value(event))))
}

fn bid_columns(bids: &[&Bid]) -> Vec<ArrayRef> {
    vec![
        i64s(bids, |bid| bid.auction),
        i64s(bids, |bid| bid.bidder),
        i64s(bids, |bid| bid.price),
        texts(bids, |bid| &bid.channel),
        texts(bids, |bid| &bid.url),
        times(bids, |bid| bid.date_time),
        texts(bids, |bid| &bid.extra),
    ]
}

fn auction_columns(auctions: &[&Auction]) -> Vec<ArrayRef> {
    vec![
        i64s(auctions, |auction| auction.id),
        texts(auctions, |auction| &auction.item_name),
        texts(auctions, |auction| &auction.description),
        i64s(auctions, |auction| auction.initial_bid),
        i64s(auctions, |auction| auction.reserve),
        times(auctions, |auction| auction.date_time),
        times(auctions, |auction| auction.expires),
        i64s(auctions, |auction| auction.seller),
        i64s(auctions, |auction| auction.category),
        texts(auctions, |auction| &auction.extra),
    ]
}

fn person_columns(people: &[&Person]) -> Vec<ArrayRef> {
    vec![
        i64s(people, |person| person.id),
        texts(people, |person| &person.name),
        texts(people, |person| &person.email_address),
        texts(people, |person| &person.credit_card),
        texts(people, |person| &person.city),
        texts(people, |person| &person.state),
        times(people, |person| person.date_time),
        texts(people, |person| &person.extra),
    ]
}
