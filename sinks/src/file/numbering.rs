//! Names of numbered files.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use weir_files::Folder;

use super::FileSinkConfig;
use crate::SinkError;

/// `late-000001.csv`, `late-000002.csv`, … beside `late.csv`.
#[derive(Clone, Debug)]
pub(super) struct Numbering {
    stem: OsString,
    suffix: Option<OsString>,
}

impl Numbering {
    pub(super) fn new(config: &FileSinkConfig) -> Numbering {
        Numbering {
            stem: config.path.file_stem().unwrap_or_default().to_owned(),
            suffix: config.path.extension().map(OsStr::to_owned),
        }
    }

    /// The file with this number.
    pub(super) fn name(&self, number: u64) -> OsString {
        let mut name = self.stem.clone();
        name.push(format!("-{number:06}"));
        if let Some(suffix) = &self.suffix {
            name.push(".");
            name.push(suffix);
        }
        name
    }

    /// The number after the highest one in this folder; 1 if the folder has none.
    pub(super) fn next(&self, folder: &Folder) -> Result<u64, SinkError> {
        let entries = folder.entries().map_err(|source| SinkError::file("read", folder.path(), source))?;
        let highest = entries.iter().filter_map(|(name, _)| self.number(name)).max().unwrap_or(0);
        Ok(highest.saturating_add(1))
    }

    /// The number in a file name; `None` if the file is not one of this sink's.
    fn number(&self, name: &OsStr) -> Option<u64> {
        let name = Path::new(name);
        if name.extension() != self.suffix.as_deref() {
            return None;
        }
        let stem = name.file_stem()?.as_encoded_bytes();
        let digits = stem.strip_prefix(self.stem.as_encoded_bytes())?.strip_prefix(b"-")?;
        let digits = std::str::from_utf8(digits).ok()?;
        let ours = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        ours.then(|| digits.parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use weir_formats::Format;

    use super::*;

    #[test]
    fn numbers_go_on_after_the_highest() {
        let folder = tempfile::tempdir().unwrap();
        let numbering = Numbering::new(&FileSinkConfig::new(folder.path().join("late.csv"), Format::Csv));
        let open = Folder::open(folder.path()).unwrap();
        assert_eq!(numbering.next(&open).unwrap(), 1);
        for name in ["late-000002.csv", "late-1000000.csv", "late-2000000.jsonl", "later-3000000.csv", "late-9.csv"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(numbering.next(&open).unwrap(), 1_000_001);
        assert_eq!(numbering.name(7), "late-000007.csv");
    }

    #[test]
    fn a_name_without_suffix_is_numbered_too() {
        let numbering = Numbering::new(&FileSinkConfig::new("late", Format::Csv));
        assert_eq!(numbering.name(7), "late-000007");
        assert_eq!(numbering.number(OsStr::new("late-000007")), Some(7));
        assert_eq!(numbering.number(OsStr::new("late-000007.csv")), None);
    }
}
