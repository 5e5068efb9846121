//! The end of a poller, however it comes.

use std::sync::Arc;

use super::hand_over::HandOver;
use crate::SourceError;

/// Tells that the polling ended, when it is dropped.
pub(super) struct Ended(pub(super) Arc<HandOver>);

impl Drop for Ended {
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        if panicked {
            self.0.fail(SourceError::Thread("the polling thread panicked".to_owned()));
        }
        self.0.polling_ended();
    }
}
