//! The binary form of what a worker and whoever started it say to each other inside of frames. Every value is decoded with a limit.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};

use crate::WorkerError;

/// The longest value: a frame has no more.
const BYTES_MAX: usize = 16 << 20;

fn config() -> Configuration<LittleEndian, Fixint, Limit<BYTES_MAX>> {
    bincode::config::standard().with_fixed_int_encoding().with_limit()
}

/// The bytes of a value.
pub(crate) fn encode(what: &'static str, value: impl Encode) -> Result<Vec<u8>, WorkerError> {
    bincode::encode_to_vec(value, config())
        .map_err(|error| WorkerError::Invalid { what, reason: weir_text::brief(&error) })
}

/// The value of bytes, all of which belong to it.
pub(crate) fn decode<T: Decode<()>>(what: &'static str, bytes: &[u8]) -> Result<T, WorkerError> {
    let (value, read) = bincode::decode_from_slice(bytes, config())
        .map_err(|error| WorkerError::Invalid { what, reason: weir_text::brief(&error) })?;
    match bytes.len() - read {
        0 => Ok(value),
        extra => Err(WorkerError::Invalid { what, reason: format!("{extra} extra bytes") }),
    }
}
