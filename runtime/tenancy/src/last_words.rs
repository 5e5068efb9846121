//! What a process wrote first and last.

use std::collections::VecDeque;

use weir_text::escape_lines;

/// What is kept of the beginning, and of the end.
const KEPT_BYTES: usize = 4 << 10;

/// The first and the last 4 KiB of what a process wrote to its standard output and error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords {
    first: Vec<u8>,
    last: VecDeque<u8>,
    left_out: u64,
}

impl LastWords {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        let (first, rest) = piece.split_at(piece.len().min(KEPT_BYTES.saturating_sub(self.first.len())));
        self.first.extend_from_slice(first);
        let (skipped, rest) = rest.split_at(rest.len().saturating_sub(KEPT_BYTES));
        let too_many = self.last.len().saturating_add(rest.len()).saturating_sub(KEPT_BYTES);
        self.last.drain(..too_many.min(self.last.len()));
        self.last.extend(rest);
        self.left_out = self.left_out.saturating_add((skipped.len() + too_many) as u64);
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Bytes between the first and the last that are not kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All of it, escaped but for line ends.
    pub fn text(&self) -> String {
        let last: Vec<u8> = self.last.iter().copied().collect();
        match self.left_out {
            0 => escape_lines(&String::from_utf8_lossy(&[self.first.as_slice(), &last].concat())),
            left_out => format!(
                "{}\n… {left_out} bytes left out …\n{}",
                escape_lines(&String::from_utf8_lossy(&self.first)),
                escape_lines(&String::from_utf8_lossy(&last))
            ),
        }
    }

    /// The last line with anything in it, escaped and cut: for a table. What Rust says of backtraces is passed over.
    pub fn line(&self) -> String {
        let text = self.text();
        const NOTE: &str = "note: run with `RUST_BACKTRACE";
        let says = |line: &&str| !line.trim().is_empty() && !line.starts_with(NOTE);
        let line = text.lines().rev().find(says).unwrap_or_default();
        weir_text::escape_to(line, 200)
    }

    /// Whether Rust's allocator said that there is no more memory.
    pub(crate) fn tells_of_memory(&self) -> bool {
        let text = self.text();
        text.lines().any(|line| line.starts_with("memory allocation of ") && line.ends_with(" bytes failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_about_backtraces_is_no_last_line() {
        let note = b"memory allocation of 9 bytes failed\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        assert_eq!(of([note.to_vec()]).line(), "memory allocation of 9 bytes failed");
    }

    fn of(pieces: impl IntoIterator<Item = Vec<u8>>) -> LastWords {
        let mut words = LastWords::default();
        pieces.into_iter().for_each(|piece| words.add(&piece));
        words
    }

    #[test]
    fn the_beginning_and_the_end_are_kept_however_it_is_cut() {
        let all: Vec<u8> = (0..30_000_u32).map(|i| b'a' + u8::try_from(i % 26).unwrap()).collect();
        for length in [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 12_000, 30_000] {
            let text = &all[..length];
            let whole = of([text.to_vec()]);
            for cut in [1, 7, 4096, 5000] {
                assert_eq!(of(text.chunks(cut).map(<[u8]>::to_vec)), whole, "{length} in pieces of {cut}");
            }
            assert_eq!(whole.left_out(), (length as u64).saturating_sub(8192));
            let end = String::from_utf8_lossy(&text[length.saturating_sub(4096)..]);
            assert!(whole.text().ends_with(&*end));
            assert!(whole.text().starts_with(&*String::from_utf8_lossy(&text[..length.min(4096)])));
        }
    }

    #[test]
    fn they_are_harmless() {
        let words = of([b"\x1b[31mred\n\xff\nmemory allocation of 8 bytes failed\n\n".to_vec()]);
        assert_eq!(words.text(), "\\u{1b}[31mred\n\u{fffd}\nmemory allocation of 8 bytes failed\n\n");
        assert_eq!(words.line(), "memory allocation of 8 bytes failed");
        assert!(words.tells_of_memory());
    }
}
