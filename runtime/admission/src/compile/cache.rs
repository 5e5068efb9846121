//! Compiled code on disk.

use crate::Fault;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::fs::FileType;
use sha2::{Digest, Sha256};
use weir_files::Folder;

use super::load::Trusted;
use super::mac::{Key, MAC_BYTES};
use super::settings::{CodeSettings, Tier};
use super::worker::tier_name;
use crate::{ModuleDigest, TenantId};

/// What a file of the cache begins with. A file of another form is none of ours.
const MAGIC: &[u8; 8] = b"weircode";

/// The file of the key.
const KEY: &str = "key";

/// The folder of the tenants' folders. No tenant can be called this.
const TENANTS: &str = "tenants.d";

/// Where compiled code is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// A folder that nobody else can write to; made where it does not exist.
    pub folder: PathBuf,
    /// Bytes of all files; beyond it the ones that were not used for the longest time go.
    pub bytes_max: u64,
}

impl CacheConfig {
    /// A cache of up to this many bytes in this folder.
    pub fn new(folder: impl Into<PathBuf>, bytes_max: u64) -> CacheConfig {
        CacheConfig { folder: folder.into(), bytes_max }
    }
}

/// What came of the cache so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheUse {
    /// Modules whose code was found.
    pub hits: u64,
    /// Modules that were compiled.
    pub misses: u64,
    /// Files that were not authentic, or not whole. Their modules were compiled.
    pub rejected: u64,
}

/// A cache that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Files cannot be made or read.
    #[error("the code cache in {path} cannot be used")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Somebody else could put code there.
    #[error("the code cache in {path} cannot be used because others can write to it: run `chmod 700` on it")]
    Open {
        /// The folder or the key's file.
        path: PathBuf,
    },
}

impl CacheError {
    /// Whose fault it is: the machine's set-up.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// A folder of compiled code, each file authenticated with a key that lies beside them: who can read the key can put
/// code there, and nobody else.
///
/// Everything is reached through handles of these folders, and no link is followed. Tenants' folders lie in one of their
/// own, whose name is no tenant's, so that none is called as the key's file is. Those beside it are of earlier versions,
/// whose code is no longer found: it goes as what was not used for the longest time.
pub struct Cache {
    folder: Folder,
    tenants: Folder,
    key: Key,
    bytes_max: u64,
    hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
}

/// What code is looked up by. Code of one tenant is never another's, however alike the modules.
pub struct CacheKey {
    tenant: TenantId,
    module: ModuleDigest,
    // Version and settings of the compiler, and the processor that the code is for.
    environment: [u8; 32],
}

/// Code that was found.
#[non_exhaustive]
pub struct Cached {
    /// How much work went into it.
    pub tier: Tier,
    /// The code, authenticated.
    pub code: Trusted,
}

impl CacheKey {
    /// For a module of this tenant, compiled with these settings for this engine.
    pub fn new(engine: &wasmtime::Engine, settings: CodeSettings, tenant: &TenantId, module: ModuleDigest) -> CacheKey {
        let mut hasher = ShaHasher(Sha256::new());
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        settings.hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        CacheKey { tenant: tenant.clone(), module, environment: hasher.0.finalize().into() }
    }

    /// `<digest>-<environment>`, in the tenant's folder.
    fn name(&self) -> String {
        let environment = weir_text::hex(&self.environment[..8]);
        format!("{}-{environment}", self.module)
    }

    fn mac_parts<'a>(&'a self, tier: Tier, code: &'a [u8]) -> [&'a [u8]; 6] {
        let tenant = self.tenant.as_str().as_bytes();
        [MAGIC, tenant, self.module.as_bytes(), &self.environment, tier_name(tier), code]
    }
}

impl Cache {
    /// Opens the folder, and makes it with its key where they are not there.
    ///
    /// # Errors
    ///
    /// A folder that cannot be used, or that others may write to.
    pub fn open(config: &CacheConfig) -> Result<Cache, CacheError> {
        let folder = config.folder.join("v1");
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::Io { path, source }
        };
        make_folder(&folder).map_err(io(&folder))?;
        check_private(&folder)?;
        let path = folder.join(KEY);
        let folder = Folder::open(&folder).map_err(io(&folder))?;
        let key = open_key(&folder).map_err(io(&path))?;
        check_private(&path)?;
        let tenants = folder.make_sub(TENANTS, 0o700).map_err(io(folder.path()))?;
        let count = AtomicU64::default;
        Ok(Cache {
            folder,
            tenants,
            key,
            bytes_max: config.bytes_max,
            hits: count(),
            misses: count(),
            rejected: count(),
        })
    }

    /// What came of it so far.
    pub fn counts(&self) -> CacheUse {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheUse { hits: read(&self.hits), misses: read(&self.misses), rejected: read(&self.rejected) }
    }

    /// The code that was kept under this key, if it has at most this number of bytes. A file that is not authentic is reported,
    /// removed and taken for none.
    pub fn find(&self, key: &CacheKey, code_bytes_max: u64) -> Option<Cached> {
        let found = match self.read(key, code_bytes_max) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.rejected.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    tenant = %key.tenant,
                    "cached code in {} cannot be used; compiling it again: {error}",
                    self.tenants.path().join(key.tenant.as_str()).join(key.name()).display()
                );
                drop(self.tenants.sub(key.tenant.as_str()).and_then(|folder| folder.remove(key.name())));
                None
            }
        };
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn read(&self, key: &CacheKey, code_bytes_max: u64) -> io::Result<Option<Cached>> {
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message.to_owned());
        // A link, or a pipe that never ends, is nothing that this cache made.
        let mut file = self.tenants.sub(key.tenant.as_str())?.read(key.name())?;
        let mut head = [0; MAGIC.len() + 1 + MAC_BYTES];
        file.read_exact(&mut head).map_err(|_| invalid("it is truncated"))?;
        let (magic, rest) = head.split_at(MAGIC.len());
        let (tier, mac) = rest.split_at(1);
        let tier = match (magic == MAGIC, tier) {
            (true, [0]) => Tier::Baseline,
            (true, [1]) => Tier::Optimised,
            _ => return Err(invalid("it has no valid header")),
        };
        let mut code = Vec::new();
        (&mut file).take(code_bytes_max.saturating_add(1)).read_to_end(&mut code)?;
        if code.len() as u64 > code_bytes_max {
            return Err(invalid("it exceeds the tenant's limit"));
        }
        if !self.key.verifies(&key.mac_parts(tier, &code), mac) {
            return Err(invalid("it is not authentic: it was modified, or signed with another key"));
        }
        // For the choice of what goes when there is too much; a file system that does not keep it loses nothing else.
        drop(file.set_modified(SystemTime::now()));
        Ok(Some(Cached { tier, code: Trusted::vouch(code) }))
    }

    /// Keeps code. What goes wrong is reported, and costs a compilation another time.
    pub fn keep(&self, key: &CacheKey, tier: Tier, code: &Trusted) {
        if let Err(error) = self.write(key, tier, code.bytes()).and_then(|()| self.make_room(key)) {
            let folder = self.tenants.path().display();
            tracing::warn!(tenant = %key.tenant, "cannot store compiled code in {folder}: {error}");
        }
    }

    fn write(&self, key: &CacheKey, tier: Tier, code: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = self.tenants.make_sub(key.tenant.as_str(), 0o700)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let beside = format!("{}.{}-{number}.new", key.name(), std::process::id());
        let write = || {
            let mut file = folder.create_new(&beside, 0o600)?;
            file.write_all(MAGIC)?;
            file.write_all(&[u8::from(tier == Tier::Optimised)])?;
            file.write_all(&self.key.mac(&key.mac_parts(tier, code)))?;
            file.write_all(code)?;
            // Not synced: what a crash tears is not authentic, and is compiled again.
            folder.rename(&beside, key.name())
        };
        let written = write();
        if written.is_err() {
            drop(folder.remove(&beside));
        }
        written
    }

    /// Removes what was not used for the longest time, until the rest is within the limit; never `keep`.
    fn make_room(&self, keep: &CacheKey) -> io::Result<()> {
        let mut files = Vec::new();
        let keep = self.tenants.path().join(keep.tenant.as_str()).join(keep.name());
        for folder in [&self.folder, &self.tenants] {
            for (name, _) in folder.entries()? {
                // The key's file is not a folder. Each is opened one at a time: they may be thousands.
                let Ok(tenant) = folder.sub(&name) else { continue };
                for (file, kind) in tenant.entries()? {
                    if let Some(found) = tenant.stat(&file)?.filter(|_| kind == FileType::RegularFile) {
                        let bytes = u64::try_from(found.st_size).unwrap_or(0);
                        files.push((found.st_mtime, found.st_mtime_nsec, bytes, folder, name.clone(), file));
                    }
                }
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, _, bytes, ..)| bytes).sum();
        files.sort_by_key(|&(seconds, nanos, ..)| (seconds, nanos));
        for (_, _, length, folder, tenant, file) in files {
            if bytes <= self.bytes_max {
                break;
            }
            let is_kept = folder.path().join(&tenant).join(&file) == keep;
            if !is_kept && folder.sub(&tenant).and_then(|folder| folder.remove(&file)).is_ok() {
                bytes = bytes.saturating_sub(length);
            }
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Code and key are this user's alone to write.
fn check_private(path: &Path) -> Result<(), CacheError> {
    let metadata = fs::symlink_metadata(path).map_err(|source| CacheError::Io { path: path.to_owned(), source })?;
    let mine = metadata.uid() == rustix::process::geteuid().as_raw();
    if mine && metadata.mode() & 0o022 == 0 { Ok(()) } else { Err(CacheError::Open { path: path.to_owned() }) }
}

/// The key in this file, which is created if it does not exist. Two processes that create it at once use the same key.
fn open_key(folder: &Folder) -> io::Result<Key> {
    let read = || -> io::Result<Key> {
        let mut bytes = [0; MAC_BYTES];
        folder.read(KEY)?.read_exact(&mut bytes)?;
        Ok(Key::from_bytes(bytes))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let key = Key::random()?;
    let beside = format!("{KEY}.{}.new", std::process::id());
    folder.create_new(&beside, 0o600)?.write_all(key.as_bytes())?;
    // Refuses to replace one that came to be in the meantime.
    let linked = folder.link(&beside, KEY);
    drop(folder.remove(&beside));
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(),
    }
}

/// Hashes whatever hashes itself, so that the result is the same in every process.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte))
    }
}
