//! Bytes for people to read.

use std::fmt;

/// So many bytes: `512 B`, `12.3 kB`, `4.5 MB`, `6.7 GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match bytes {
            0..1000 => write!(f, "{bytes} B"),
            1000..1_000_000 => write!(f, "{:.1} kB", bytes as f64 / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", bytes as f64 / 1e6),
            _ => write!(f, "{:.1} GB", bytes as f64 / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 999, 1000, 1_500_000, 2_000_000_000].map(|bytes| ByteCount(bytes).to_string());
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.5 MB", "2.0 GB"]);
        assert_eq!(ByteCount(u64::MAX).to_string(), "18446744073.7 GB");
    }
}
