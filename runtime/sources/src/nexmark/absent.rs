//! The replacement in a program without these streams. It has no values.

use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::{Fault, Schema};
use weir_state::Positions;

use super::NexmarkStream;
use crate::{Source, SourceError, SourceEvent};

/// Generates a stream. This program was built without the feature `nexmark`, so it cannot.
pub enum NexmarkSource {}

impl NexmarkSource {
    /// Generates records of this stream.
    ///
    /// # Errors
    ///
    /// Always, because this program was built without the feature.
    pub fn new(_stream: NexmarkStream, _events: u64, _records_max: usize) -> Result<NexmarkSource, SourceError> {
        let reason = "this program was built without Nexmark: build it with the feature `nexmark`".to_owned();
        Err(SourceError::Custom { reason, fault: Fault::Tenant, retryable: false })
    }
}

#[async_trait]
impl Source for NexmarkSource {
    fn schema(&self) -> &Arc<Schema> {
        match *self {}
    }

    async fn seek(&mut self, _: &Positions) -> Result<(), SourceError> {
        match *self {}
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        match *self {}
    }
}
