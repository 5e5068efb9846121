//! What a frame is on the wire: four bytes of length, four of kind, and the rest of a value of bincode's. All integers are
//! little-endian and of fixed size. This is the only file that knows bincode.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};

use crate::{FrameError, FromWorker, ToWorker};

/// The version of the frames. Both sides are the same program as a rule; they are not after an upgrade in place.
pub const VERSION: u32 = 2;

/// The longest piece of a module in one frame.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;

/// The longest frame of any kind.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// Before each frame: its length without these bytes.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The kind, which a value begins with: the number of bincode's variant.
const KIND_BYTES: usize = 4;

/// What can be sent in one direction.
pub trait Framed: Encode + Decode<()> + Sized {
    /// Name and longest value of each kind, in the order of their numbers.
    const KINDS: &'static [(&'static str, usize)];

    /// How many descriptors go with it.
    fn descriptors(&self) -> usize {
        0
    }
}

impl Framed for ToWorker {
    const KINDS: &'static [(&'static str, usize)] = &[
        ("Welcome", 64 << 10),
        // The longest query file has 1 MiB.
        ("Read", (1 << 20) + (16 << 10)),
        // The variables of a file have 4 MiB at most.
        ("Grant", 6 << 20),
        ("Run", 16 << 20),
        ("Go", 64),
        ("Code", 64 << 10),
        ("CodeRefused", 64 << 10),
        ("Connected", 64),
        ("ConnectRefused", 8 << 10),
        ("Hand", 64),
        ("Steer", 64),
        ("Look", 64),
        ("End", 64),
        ("Reach", 16 << 10),
    ];

    fn descriptors(&self) -> usize {
        match self {
            ToWorker::Welcome { handed, .. } => handed.len(),
            ToWorker::Connected { .. } | ToWorker::Hand { .. } => 1,
            _ => 0,
        }
    }
}

impl Framed for FromWorker {
    const KINDS: &'static [(&'static str, usize)] = &[
        ("Hello", 8 << 10),
        ("Needs", 2 << 20),
        // A draft takes several times its text.
        ("Draft", 16 << 20),
        ("Compile", CHUNK_BYTES_MAX + 256),
        ("Connect", 512),
        ("Resolved", 4 << 20),
        ("Started", 64),
        ("Refused", 1 << 20),
        ("Progress", 4 << 20),
        ("Work", 64),
        ("Log", 16 << 10),
        ("Event", 16 << 10),
        ("Ended", 4 << 20),
        ("Reached", 64),
        ("NotReached", 8 << 10),
        ("Telemetry", 1 << 20),
    ];

    fn descriptors(&self) -> usize {
        usize::from(matches!(self, FromWorker::Reached { .. }))
    }
}

/// The most descriptors that go with one frame.
pub(crate) const DESCRIPTORS_MAX: usize = 4;

/// Values take up more memory than their bytes, by a pointer and two lengths for each text.
const DECODED_BYTES_MAX: usize = FRAME_BYTES_MAX + (64 << 10);

fn config() -> Configuration<LittleEndian, Fixint, Limit<DECODED_BYTES_MAX>> {
    bincode::config::standard().with_fixed_int_encoding().with_limit()
}

/// A frame as it is sent.
///
/// # Errors
///
/// [`FrameError::TooLong`]: the value has more bytes than its kind may have. [`FrameError::Descriptors`] where it goes with more
/// descriptors than a frame can carry.
pub fn encode<F: Framed>(frame: &F) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; LENGTH_BYTES];
    bincode::encode_into_std_write(frame, &mut bytes, config())
        .map_err(|error| FrameError::Invalid { kind: "of this side", reason: weir_text::brief(&error) })?;
    let value = bytes.get(LENGTH_BYTES..).unwrap_or_default();
    let (kind, _) = checked::<F>(value, value.len())?;
    let found = frame.descriptors();
    if found > DESCRIPTORS_MAX {
        return Err(FrameError::Descriptors { kind, expected: DESCRIPTORS_MAX, found });
    }
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    if let Some(head) = bytes.first_chunk_mut::<LENGTH_BYTES>() {
        *head = length.to_le_bytes();
    }
    Ok(bytes)
}

/// How long the frame is that these bytes begin with, without its length itself. `None` where more bytes are needed to tell.
pub(crate) fn length_of<F: Framed>(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let (Some(length), Some(value)) = (bytes.first_chunk::<LENGTH_BYTES>(), bytes.get(LENGTH_BYTES..)) else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length < KIND_BYTES {
        return Err(FrameError::TooShort { bytes: length });
    }
    if value.len() < KIND_BYTES {
        return Ok(None);
    }
    checked::<F>(value, length)?;
    Ok(Some(length))
}

/// A frame from its value's bytes, all of which belong to it.
pub(crate) fn decode<F: Framed>(value: &[u8]) -> Result<F, FrameError> {
    let (kind, _) = checked::<F>(value, value.len())?;
    let (frame, read) = bincode::decode_from_slice(value, config())
        .map_err(|error| FrameError::Invalid { kind, reason: weir_text::brief(&error) })?;
    match read == value.len() {
        true => Ok(frame),
        false => Err(FrameError::Invalid { kind, reason: format!("{} extra bytes", value.len() - read) }),
    }
}

/// Name and longest value of the kind that a value begins with, where a value of it may have this length.
fn checked<F: Framed>(value: &[u8], bytes: usize) -> Result<(&'static str, usize), FrameError> {
    let Some(kind) = value.first_chunk::<KIND_BYTES>() else { return Err(FrameError::TooShort { bytes }) };
    let kind = u32::from_le_bytes(*kind);
    let known = usize::try_from(kind).ok().and_then(|kind| F::KINDS.get(kind));
    let &(name, bytes_max) = known.ok_or(FrameError::UnknownKind { kind })?;
    match bytes <= bytes_max {
        true => Ok((name, bytes_max)),
        false => Err(FrameError::TooLong { kind: name, bytes, bytes_max }),
    }
}
