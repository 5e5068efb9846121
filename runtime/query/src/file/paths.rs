//! The files that a query reads and writes.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::problem::{Place, Problems, clip, nearest};

/// Resolves paths against the query file's folder, and remembers which are read and which are written.
pub(super) struct Paths<'a> {
    folder: &'a Path,
    // By what a message says of the file's use.
    read: Vec<(String, PathBuf)>,
    written: Vec<(String, PathBuf)>,
}

/// How many files of a folder are looked at for a name like the one that is not there.
const NEIGHBOURS_MAX: usize = 1000;

impl<'a> Paths<'a> {
    pub(super) fn new(folder: &'a Path) -> Paths<'a> {
        Paths { folder, read: Vec::new(), written: Vec::new() }
    }

    /// The path as found from the query file's folder.
    pub(super) fn resolve(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Whether it is a regular file that can be read at this path, or something else, such as a pipe, which can be read
    /// only once. Fails with a message and help where there is neither.
    pub(super) fn check_file(&self, written: &str, path: &Path) -> Result<bool, (String, String)> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                Err((format!("`{}` is a folder", clip(written)), "name a file".to_owned()))
            }
            Ok(metadata) => Ok(metadata.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.missing(written, path)),
            Err(error) => Err((format!("`{}` cannot be read: {error}", clip(written)), String::new())),
        }
    }

    fn missing(&self, written: &str, path: &Path) -> (String, String) {
        let neighbours = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().take(NEIGHBOURS_MAX).flatten();
            let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            names
        };
        let near = path.parent().zip(path.file_name().and_then(|name| name.to_str())).and_then(|(folder, name)| {
            let names = neighbours(folder);
            nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{}`?", clip(near)))
        });
        let help = near.unwrap_or_else(|| "paths are taken from the query file's folder".to_owned());
        (format!("there is no file `{}`", clip(written)), help)
    }

    /// Remembers the query file.
    pub(super) fn query(&mut self, path: &Path) {
        self.read.push(("this is the query file itself".to_owned(), identity(path)));
    }

    /// Remembers that a file is read.
    pub(super) fn read(&mut self, place: &Place, path: &Path) {
        self.read.push((format!("`{}` reads this file", place.key), identity(path)));
    }

    /// Remembers that a file is written, or reports that it is written or read already.
    pub(super) fn write(&mut self, place: &Place, path: &Path, problems: &Problems) {
        let identity = identity(path);
        let mut uses = self.read.iter().chain(&self.written);
        if let Some((used, _)) = uses.find(|(_, other)| *other == identity) {
            problems.error(place, used.clone(), "write to another file");
        }
        self.written.push((format!("`{}` writes this file too", place.key), identity));
    }
}

/// The same for all ways of writing a path: links followed as far as the path exists, `.` and `..` resolved.
fn identity(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut exists = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                exists.pop();
            }
            component => {
                exists.push(component);
                if let Ok(followed) = exists.canonicalize() {
                    exists = followed;
                }
            }
        }
    }
    exists
}
