//! The standard input of this process, and of the one that started it.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::FileKind;

/// The path by which a query file names the standard input.
pub const STANDARD_INPUT: &str = "/dev/stdin";

/// Whether this path is the one by which query files name the standard input.
pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

/// A standard input that another process hands over: this process's own is something else. Empty until then. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct HandedInput(Arc<OnceLock<File>>);

impl PartialEq for HandedInput {
    fn eq(&self, other: &HandedInput) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HandedInput {}

impl HandedInput {
    /// Takes the descriptor: for reading only, non-blocking, and shared with nobody. Only the first one counts.
    pub fn hand(&self, descriptor: OwnedFd) {
        self.0.set(File::from(descriptor)).ok();
    }

    /// The input, from its beginning where it has one.
    pub(crate) fn open(&self) -> io::Result<(File, FileKind)> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no standard input was handed over");
        let mut file = self.0.get().ok_or_else(missing)?.try_clone()?;
        let kind = FileKind::of(&file)?;
        if kind == FileKind::Regular {
            file.seek(SeekFrom::Start(0))?;
        }
        Ok((file, kind))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::Folders;

    #[test]
    fn it_is_read_by_whoever_may_and_from_what_was_handed_over() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("in"), "text").unwrap();
        let bounded = Folders::within([place.path()]).unwrap();
        let path = Path::new(STANDARD_INPUT);
        assert!(bounded.input(path).is_err());
        let handed = HandedInput::default();
        let bounded = bounded.handed_input(handed.clone());
        assert!(bounded.input(path).is_err() && bounded.open_any(path).is_err());
        let allowed = bounded.with_standard_input(true);
        assert_eq!(allowed.input(path).unwrap(), path);
        assert!(allowed.awaits(path) && !allowed.awaits(Path::new("/dev/null")));
        assert!(allowed.open_any(path).unwrap_err().to_string().contains("no standard input was handed over"));
        handed.hand(File::open(place.path().join("in")).unwrap().into());
        for _ in 0..2 {
            let (mut file, kind) = allowed.open_any(path).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), kind), ("text", FileKind::Regular));
        }
        let (reader, mut writer) = io::pipe().unwrap();
        let handed = HandedInput::default();
        handed.hand(reader.into());
        writer.write_all(b"rows").unwrap();
        let (mut file, kind) = Folders::anywhere().handed_input(handed).open_any(path).unwrap();
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).unwrap();
        assert_eq!((&bytes, kind), (b"rows", FileKind::Pipe));
    }
}
