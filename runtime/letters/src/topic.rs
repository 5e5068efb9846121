//! Writes letters to a topic.

use std::sync::Arc;

use weir_batch::arrow::array::{ArrayRef, BinaryArray};
use weir_batch::{Batch, BatchError, DataType, Field, Schema, SystemColumns};
use weir_sinks::{Sink, SinkError};

use super::error::DeadLetterError;
use super::system::headers_column;
use weir_state::{Letter, LetterMessage};

/// The only column of a sink of letters; keys and headers are system columns.
pub const LETTER_COLUMN: &str = "value";

/// The maximum size of a batch, which bounds Arrow's offsets and memory.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// A sink that letters are written to as messages.
pub(super) struct TopicLetterSink {
    sink: Box<dyn Sink>,
    schema: Arc<Schema>,
}

pub(super) fn schema() -> Result<Schema, BatchError> {
    Schema::new(vec![Field::nullable(LETTER_COLUMN, DataType::Binary)])
}

impl TopicLetterSink {
    pub(super) fn new(sink: Box<dyn Sink>) -> Result<TopicLetterSink, BatchError> {
        Ok(TopicLetterSink { sink, schema: Arc::new(schema()?) })
    }

    /// Writes letters. Returns how many were written without the record's value because they are too large.
    pub(super) async fn write(&mut self, letters: Vec<Letter>) -> Result<u64, DeadLetterError> {
        let mut omitted = 0;
        let mut letters = letters.into_iter().peekable();
        while letters.peek().is_some() {
            let (mut part, mut bytes) = (Vec::new(), 0);
            while bytes < BATCH_BYTES_MAX
                && let Some(letter) = letters.next()
            {
                bytes += letter.content_bytes();
                part.push(letter);
            }
            let refused = self.write_batch(&part).await?;
            omitted += refused.len() as u64;
            let without: Vec<Letter> = refused.into_iter().map(|(letter, _)| letter.without_value()).collect();
            let refused = self.write_batch(&without).await?;
            let bare: Vec<Letter> = refused.into_iter().map(|(letter, _)| letter.bare()).collect();
            if let Some((_, why)) = self.write_batch(&bare).await?.into_iter().next() {
                return Err(DeadLetterError::NoRoom { why: Box::new(why) });
            }
        }
        Ok(omitted)
    }

    /// Writes letters unchanged, and returns those that the topic refused.
    async fn write_batch(
        &mut self,
        letters: &[Letter],
    ) -> Result<Vec<(Letter, weir_sinks::RowRefusal)>, DeadLetterError> {
        if letters.is_empty() {
            return Ok(Vec::new());
        }
        let messages: Vec<LetterMessage> = letters.iter().cloned().map(LetterMessage::of).collect();
        let binary = |of: fn(&LetterMessage) -> Option<&[u8]>| BinaryArray::from_iter(messages.iter().map(of));
        let values: ArrayRef = Arc::new(binary(|message| message.value.as_deref()));
        let mut system = SystemColumns::default();
        system.key = Some(binary(|message| message.key.as_deref()));
        system.headers = Some(headers_column(messages.iter().map(|message| message.headers.as_slice()))?);
        let batch = Batch::new(Arc::clone(&self.schema), vec![values])?.with_system(system)?;
        let refused = self.sink.write(Arc::new(batch)).await?.refused;
        // A sink that refuses a row which it did not get breaks its contract: the index panics instead of losing a letter.
        Ok(refused.into_iter().map(|refused| (letters[refused.row].clone(), refused.why)).collect())
    }

    pub(super) async fn flush(&mut self) -> Result<(), SinkError> {
        self.sink.flush().await
    }

    pub(super) async fn close(&mut self) -> Result<(), SinkError> {
        self.sink.close().await
    }
}
