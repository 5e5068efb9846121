//! The files that a query reads and writes.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use weir_admission::TenantId;
use weir_files::{FileError, FileKind};

use weir_config::hints;
use weir_config::{KeyPlace, Problems, Spot, clip, nearest};
use weir_files::{Denied, Folders, real_path};

/// Resolves paths relative to the query file's folder, limits them to the tenant's folders, and remembers which files are read and
/// written.
pub(super) struct Paths<'a> {
    folder: &'a Path,
    problems: &'a Problems,
    tenant: Option<&'a TenantId>,
    folders: Folders,
    uses: Vec<FileUse>,
}

/// An input file.
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// Whether it is a regular file; pipes can be read only once.
    pub(super) regular: bool,
}

/// The use of a file or of standard output by a query.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct FileUse {
    /// The place of the key.
    pub(super) spot: Spot,
    pub(super) kind: UseKind,
}

#[derive(Clone, Debug, Encode, Decode)]
pub(super) enum UseKind {
    /// The file itself that is being read.
    This {
        path: UsedPath,
        is: OwnFile,
    },
    Read {
        path: UsedPath,
        regular: bool,
    },
    /// An output file; with `numbered`, files of this name with numbers.
    Write {
        path: UsedPath,
        numbered: bool,
    },
    Stdout,
}

/// A file that says what the query is.
#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(super) enum OwnFile {
    Query,
    Limits,
}

impl OwnFile {
    fn name(self) -> &'static str {
        match self {
            OwnFile::Query => "query file",
            OwnFile::Limits => "limits file",
        }
    }
}

/// A path of any bytes, which bincode's own paths are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsedPath(PathBuf);

impl std::ops::Deref for UsedPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Encode for UsedPath {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.as_os_str().as_bytes().encode(encoder)
    }
}

bincode::impl_borrow_decode!(UsedPath);

impl<C> Decode<C> for UsedPath {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<UsedPath, DecodeError> {
        Ok(UsedPath(PathBuf::from(OsString::from_vec(Vec::decode(decoder)?))))
    }
}

/// The maximum number of files in a folder among which a similar name is searched.
const NEIGHBOURS_MAX: usize = 1000;

/// The number of folders shown in messages to a tenant.
const FOLDERS_SHOWN: usize = 4;

impl<'a> Paths<'a> {
    pub(super) fn new(folder: &'a Path, problems: &'a Problems) -> Paths<'a> {
        Paths { folder, problems, tenant: None, folders: Folders::anywhere(), uses: Vec::new() }
    }

    /// Limits all paths from now on to these folders.
    pub(super) fn confine(&mut self, tenant: &'a TenantId, folders: Folders) {
        (self.tenant, self.folders) = (Some(tenant), folders);
    }

    /// The folders to which paths are limited.
    pub(super) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The path, relative to the query file's folder.
    pub(super) fn resolve(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Checks an input file, and remembers it.
    pub(super) fn input(&mut self, place: &KeyPlace, written: &str) -> Option<InputFile> {
        if let Some((message, help)) = hints::path(written, true) {
            self.problems.error(place, message, help);
            return None;
        }
        // Outside of the folders, do not reveal whether a file exists.
        let path = self.allowed(place, written, Folders::input)?;
        match self.check_file(written, &path) {
            Ok(regular) => {
                // Another process compares it: by its name there.
                let real = if self.folders.awaits(&path) { path.clone() } else { real_path(&path).path };
                let kind = UseKind::Read { path: UsedPath(real), regular };
                self.uses.push(FileUse { spot: self.problems.spot(place), kind });
                Some(InputFile { path, regular })
            }
            Err((message, help)) => {
                self.problems.error(place, message, help);
                None
            }
        }
    }

    /// Checks an output file, and remembers it.
    pub(super) fn output(&mut self, place: &KeyPlace, written: &str, numbered: bool) -> Option<PathBuf> {
        if let Some((message, help)) = hints::path(written, false) {
            self.problems.error(place, message, help);
            return None;
        }
        let path = self.allowed(place, written, Folders::output)?;
        let kind = UseKind::Write { path: UsedPath(real_path(&path).path), numbered };
        if let Some(other) = self.uses.iter().find(|other| other.kind.meets(&kind)) {
            let message = match &other.kind {
                UseKind::This { is, .. } => format!("this is the {} itself", is.name()),
                UseKind::Write { .. } => format!("`{}` also writes this file", other.spot.key),
                UseKind::Read { .. } | UseKind::Stdout => format!("`{}` reads this file", other.spot.key),
            };
            self.problems.error(place, message, "use another file");
        }
        self.uses.push(FileUse { spot: self.problems.spot(place), kind });
        Some(path)
    }

    /// Remembers a query file or limits file, which no output may overwrite.
    pub(super) fn this(&mut self, path: &Path, is: OwnFile) {
        let kind = UseKind::This { path: UsedPath(real_path(path).path), is };
        self.uses.push(FileUse { spot: Spot::default(), kind });
    }

    /// Remembers that the query writes to standard output.
    pub(super) fn stdout(&mut self, place: &KeyPlace) {
        self.uses.push(FileUse { spot: self.problems.spot(place), kind: UseKind::Stdout });
    }

    /// The query's uses of files.
    pub(super) fn into_uses(self) -> Vec<FileUse> {
        self.uses
    }

    fn allowed(
        &self,
        place: &KeyPlace,
        written: &str,
        allowed: impl FnOnce(&Folders, &Path) -> Result<PathBuf, Denied>,
    ) -> Option<PathBuf> {
        if written.contains('\0') {
            self.problems.error(place, format!("invalid path `{}`: it contains a NUL", clip(written)), "");
            return None;
        }
        let denied = match allowed(&self.folders, &self.resolve(written)) {
            Ok(path) => return Some(path),
            Err(denied) => denied,
        };
        let tenant = self.tenant.map(TenantId::as_str).unwrap_or_default();
        let (message, help) = match denied {
            Denied::Outside if written == weir_files::STANDARD_INPUT => {
                let help = format!(
                    "the operator can allow it with `standard_input = true` under `[tenants.{tenant}]` in the limits file"
                );
                (format!("is outside of the folders of tenant `{tenant}`"), help)
            }
            Denied::Outside => {
                let folders = self.folders.paths().unwrap_or_default();
                let shown = folders.iter().take(FOLDERS_SHOWN).map(|folder| format!("`{}`", folder.display()));
                let mut shown = shown.collect::<Vec<_>>().join(", ");
                if folders.len() > FOLDERS_SHOWN {
                    shown.push_str(&format!(" and {} more", folders.len() - FOLDERS_SHOWN));
                }
                (format!("is outside of the folders of tenant `{tenant}`"), format!("use a path below {shown}"))
            }
            Denied::BrokenLink => (denied.to_string(), "use the path of the file itself".to_owned()),
            Denied::Link => (denied.to_string(), "use the path of its target, or of another file".to_owned()),
            denied => (denied.to_string(), String::new()),
        };
        self.problems.error(place, format!("`{}` {message}", clip(written)), help);
        None
    }

    /// Returns true for a readable regular file, and false for a pipe or terminal, which can be read only once. Otherwise fails
    /// with a message and help.
    fn check_file(&self, written: &str, path: &Path) -> Result<bool, (String, String)> {
        if self.folders.awaits(path) {
            return Ok(false);
        }
        match weir_files::open(path) {
            Ok((_, FileKind::Folder)) => Err((format!("`{}` is a folder", clip(written)), "name a file".to_owned())),
            Ok((_, FileKind::Regular)) => Ok(true),
            Ok((_, kind)) if kind.arrives() || kind == FileKind::Null => Ok(false),
            Ok((_, kind)) | Err(FileError::NotRegular { kind }) => Err((
                format!("`{}` is {kind} and cannot be read", clip(written)),
                "use a regular file, a pipe or a terminal".to_owned(),
            )),
            Err(error) if error.is_not_found() => Err(self.missing(written, path)),
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
        if let Some(help) = hints::pattern(written) {
            return (format!("file `{}` does not exist", clip(written)), help.to_owned());
        }
        let near = path.parent().zip(path.file_name().and_then(|name| name.to_str())).and_then(|(folder, name)| {
            let names = neighbours(folder);
            nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{}`?", clip(near)))
        });
        let help = near.unwrap_or_else(|| "paths are relative to the folder of the query file".to_owned());
        (format!("file `{}` does not exist", clip(written)), help)
    }
}

impl UseKind {
    /// The path, if it is a file.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            UseKind::This { path, .. } | UseKind::Read { path, .. } | UseKind::Write { path, .. } => Some(path),
            UseKind::Stdout => None,
        }
    }

    /// Whether an output of the other query conflicts with this use.
    pub(super) fn meets(&self, write: &UseKind) -> bool {
        let (Some(path), UseKind::Write { path: written, numbered }) = (self.path(), write) else { return false };
        let of = |numbered: bool, base: &Path, path: &Path| numbered && unnumbered(path).is_some_and(|it| it == base);
        let numbered_here = matches!(self, UseKind::Write { numbered: true, .. });
        path == &**written || of(*numbered, written, path) || of(numbered_here, path, written)
    }
}

/// The name without the number: `late.csv` for `late-000001.csv`.
pub(super) fn unnumbered(path: &Path) -> Option<PathBuf> {
    let (base, number) = path.file_stem()?.to_str()?.rsplit_once('-')?;
    if number.len() < 6 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut name = base.to_owned();
    if let Some(suffix) = path.extension() {
        name.push('.');
        name.push_str(suffix.to_str()?);
    }
    Some(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_numbered_files() {
        let name = |text: &str| unnumbered(Path::new(text)).map(|path| path.display().to_string());
        assert_eq!(name("/out/late-000001.csv").as_deref(), Some("/out/late.csv"));
        assert_eq!(name("/out/late-1000000").as_deref(), Some("/out/late"));
        assert_eq!(name("/out/late-9.csv"), None);
        assert_eq!(name("/out/late-00000x.csv"), None);
        assert_eq!(name("/out/late.csv"), None);
        assert_eq!(name("/"), None);
    }
}
