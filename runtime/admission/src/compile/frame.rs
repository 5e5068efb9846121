//! What engine and worker say to each other, over pipes. Values are bincode's, always decoded with a limit.

use std::io::{self, Read, Write};

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};
use weir_confine::Walls;

use super::cost::CompileCost;
use super::mac::MAC_BYTES;
use super::settings::{CodeSettings, Tier};

/// The longest head of a message: that of a refusal with its text.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct WorkerLimits {
    pub(super) cpu_s_max: u64,
    pub(super) memory_bytes_max: u64,
}

/// What a worker is asked; the module follows.
#[derive(Encode, Decode)]
pub(super) struct Request {
    /// What its answers are authenticated with: made for this request.
    pub(super) key: [u8; MAC_BYTES],
    pub(super) settings: CodeSettings,
    pub(super) limits: WorkerLimits,
    pub(super) module_bytes: u64,
    /// Whether a second answer is wanted, of optimised code.
    pub(super) optimise: bool,
}

/// What a worker answers.
#[derive(Debug, Encode, Decode)]
pub(super) enum Answer {
    /// Code, which follows.
    Code { tier: Tier, mac: [u8; MAC_BYTES], spent: Spent, walls: Walls, code_bytes: u64 },
    /// The compiler does not take the module, for the reason that it gives.
    Refused { reason: String },
}

/// What a worker has used up so far.
#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(super) struct Spent {
    pub(super) cpu_nanos: u64,
    pub(super) memory_bytes_peak: u64,
}

impl Spent {
    pub(super) fn cost(self, time: std::time::Duration) -> CompileCost {
        CompileCost {
            time,
            cpu: Some(std::time::Duration::from_nanos(self.cpu_nanos)),
            memory_bytes_peak: Some(self.memory_bytes_peak),
        }
    }
}

fn config() -> Configuration<LittleEndian, Fixint, Limit<HEAD_BYTES_MAX>> {
    bincode::config::standard().with_fixed_int_encoding().with_limit()
}

/// Writes a head and what follows it.
pub(super) fn write(mut to: impl Write, head: impl Encode, body: &[u8]) -> io::Result<()> {
    let head = bincode::encode_to_vec(head, config()).map_err(io::Error::other)?;
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&head)?;
    to.write_all(body)?;
    to.flush()
}

/// Reads a head.
pub(super) fn read_head<T: Decode<()>>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > HEAD_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the length of a message is out of range"));
    }
    let mut head = vec![0; length];
    from.read_exact(&mut head)?;
    let (value, read) = bincode::decode_from_slice(&head, config())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    if read != length {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message has extra bytes"));
    }
    Ok(value)
}

/// Reads what follows a head; its length was said by the other side, and is allocated as it comes.
pub(super) fn read_body(from: impl Read, length: u64, length_max: u64) -> io::Result<Vec<u8>> {
    if length > length_max {
        let message = format!("a message has {length} bytes: the maximum is {length_max}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_written_and_lies_are_refused() {
        let mut pipe = Vec::new();
        write(&mut pipe, Answer::Refused { reason: "no".to_owned() }, b"rest").unwrap();
        let mut from = pipe.as_slice();
        assert!(matches!(read_head(&mut from).unwrap(), Answer::Refused { reason } if reason == "no"));
        assert_eq!(read_body(&mut from, 4, 4).unwrap(), b"rest");
        for cut in 0..pipe.len() - 4 {
            assert!(read_head::<Answer>(&pipe[..cut]).is_err(), "{cut}");
        }
        assert!(read_head::<Answer>(&[0xff, 0xff, 0xff, 0xff, 0][..]).is_err());
        assert!(read_head::<Answer>(&[1, 0, 0, 0, 9][..]).is_err());
        // A text of 2^60 bytes is not allocated.
        let lie = [12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16];
        assert!(read_head::<Answer>(&lie[..]).is_err());
        assert!(read_body(&b"abc"[..], 4, 10).is_err());
        assert!(read_body(&b"abc"[..], 11, 10).is_err());
    }
}
