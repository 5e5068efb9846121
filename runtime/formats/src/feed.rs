//! Bytes that arrive over time, for a decoder.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a pipe or terminal, between the task that waits for them and the decoder that reads them. Clones share the bytes.
/// Memory is bounded by the bytes that were added and not read: check [`Feed::pending`] before adding.
///
/// Without bytes, a read returns [`io::ErrorKind::WouldBlock`] until [`Feed::close`], and the end of the file after that. A decoder
/// returns this error without losing anything; call it again when there are more bytes.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Mutex<FeedState>>);

#[derive(Debug, Default)]
struct FeedState {
    bytes: Vec<u8>,
    // The number of `bytes` that were read.
    read: usize,
    // Whether bytes are kept after reading, so that another decoder can start with them.
    keep: bool,
    closed: bool,
}

impl Feed {
    /// An empty feed. Keeps bytes after reading, for [`Feed::rewind`], until [`Feed::settle`].
    pub fn new() -> Feed {
        let feed = Feed::default();
        feed.lock().keep = true;
        feed
    }

    /// Adds bytes at the end.
    pub fn add(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if !state.keep && state.read > 0 {
            let read = std::mem::take(&mut state.read);
            state.bytes.drain(..read);
        }
        state.bytes.extend_from_slice(bytes);
    }

    /// Marks the end: no more bytes follow.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// The number of bytes that were not read yet.
    pub fn pending(&self) -> usize {
        let state = self.lock();
        state.bytes.len() - state.read
    }

    /// Goes back to the first byte, after a decoder could not be opened with the bytes so far.
    pub fn rewind(&self) {
        self.lock().read = 0;
    }

    /// Stops keeping bytes after reading: the decoder is open.
    pub fn settle(&self) {
        self.lock().keep = false;
    }

    /// The first bytes that are still kept, at most this many.
    pub(super) fn beginning(&self, most: usize) -> Vec<u8> {
        let state = self.lock();
        state.bytes.get(..most).unwrap_or(&state.bytes).to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, FeedState> {
        // The bytes are consistent after every change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.lock();
        let mut rest = state.bytes.get(state.read..).unwrap_or_default();
        if rest.is_empty() && !state.closed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = rest.read(buffer)?;
        state.read += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use crate::{Feed, Fill, Format, FormatError, open_decoder};
    use weir_batch::{DataType, Field, Schema};

    /// Reads a feed that gets these pieces one by one. Returns ids of records, numbers of bad records, and the number of bytes
    /// read.
    fn fed<'a>(format: Format, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<i64>, Vec<i64>, u64) {
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::I64)]).unwrap());
        let fill = Fill { record_bytes_max: 1 << 20, ..Fill::from(3) };
        let feed = Feed::new();
        let (mut decoder, mut ids, mut bad, mut bytes) = (None, Vec::new(), Vec::new(), 0);
        let mut pieces = pieces.fuse();
        loop {
            match pieces.next() {
                Some(piece) => feed.add(piece),
                None => feed.close(),
            }
            if decoder.is_none() {
                match open_decoder(format, feed.clone(), Some(&schema), fill) {
                    Ok(opened) => {
                        feed.settle();
                        decoder = Some(opened);
                    }
                    Err(error) if error.is_waiting() => feed.rewind(),
                    Err(error) => panic!("{error}"),
                }
            }
            while let Some(decoder) = &mut decoder {
                match decoder.next() {
                    Ok(Some(decoded)) => {
                        let column = decoded.batch.to_arrow().unwrap().column(0).as_primitive::<Int64Type>().clone();
                        ids.extend(column.values());
                        bad.extend(decoded.bad.iter().map(|bad| bad.offset));
                        bytes += decoded.bytes_read;
                    }
                    Ok(None) => return (ids, bad, bytes),
                    Err(FormatError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    #[test]
    fn bytes_in_any_pieces_give_the_same_records() {
        let long = format!("{{\"id\": 4, \"x\": \"{}\"}}\n", "y".repeat(3 << 20));
        let json = ["\u{feff}{\"id\": 1}\n", "\n{\"id\": \"no\"}\r\n", &long, "{\"id\": 5}\n{\"id\": 6}"].concat();
        let csv = "\u{feff}x,id\n\"a\nb\",1\nc,no\n\"d\"\"\n\",5\n,6";
        for (format, text, expected) in
            [(Format::JsonLines, &*json, (vec![1, 5, 6], vec![1, 2])), (Format::Csv, csv, (vec![1, 5, 6], vec![1]))]
        {
            for length in [1, 2, 7, 100_000, text.len()] {
                if length < 7 && text.len() > 1 << 20 {
                    continue;
                }
                let (ids, bad, bytes) = fed(format, text.as_bytes().chunks(length));
                assert_eq!((ids, bad), expected, "{format} in pieces of {length}");
                assert_eq!(bytes, text.len() as u64, "{format} in pieces of {length}");
            }
        }
        let short = json.replace(&long, "");
        assert_eq!(fed(Format::JsonLines, short.as_bytes().chunks(1)).0, [1, 5, 6]);
        assert_eq!(fed(Format::JsonLines, std::iter::empty()).0, [0_i64; 0]);
    }
}
