//! The limits file: what each tenant of a process may use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weir_sandbox::{Limits, TenantId};

use super::limits;
use super::problem::{Problem, Problems, QueryFileError, clip};
use super::sizes::Sizes;
use super::table::{Item, Table};
use super::text;
use super::topics::Topics;
use weir_files::{Folders, real_path};

/// What tenants may use: limits, folders and topics of each, read from a TOML file.
///
/// ```
/// use weir_query::LimitsFile;
///
/// let file = LimitsFile::parse(
///     r#"
/// [defaults]
/// memory_bytes_max = 33554432
///
/// [tenants.acme]
/// cpu_percent_max = 50
/// "#,
///     std::path::Path::new("."),
/// )
/// .map_err(|problems| problems[0].to_string())?;
/// let acme = file.limits_of(&"acme".parse()?);
/// assert_eq!((acme.memory_bytes_max, acme.cpu_percent_max), (32 << 20, Some(50)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsFile {
    // Where it was read from, so that no query writes it.
    path: Option<PathBuf>,
    defaults: TenantLimits,
    tenants: BTreeMap<TenantId, TenantLimits>,
    unknown: Unknown,
}

/// What one tenant may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits {
    /// What its functions may use.
    pub limits: Limits,
    /// Where its queries may read and write files, and have their modules.
    pub folders: Folders,
    /// Which topics they may read and write, and where.
    pub topics: Topics,
    /// How many parts each of its queries may have.
    pub sizes: Sizes,
    /// Where query files may lie that speak for it; anywhere by default.
    pub queries: Folders,
}

/// What becomes of tenants that the file does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Defaults,
    Refuse,
}

const UNKNOWN: [(&str, Unknown); 2] = [("defaults", Unknown::Defaults), ("refuse", Unknown::Refuse)];

impl LimitsFile {
    /// Reads and checks a limits file. Folders in it are taken from its own.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, or that it cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<LimitsFile, QueryFileError> {
        let path = path.as_ref();
        let text = text::read(path, "limits")?;
        let file = LimitsFile::parse(&text, text::folder_of(path));
        let file = file.map_err(|problems| QueryFileError { path: path.to_owned(), problems })?;
        Ok(LimitsFile { path: Some(path.to_owned()), ..file })
    }

    /// Checks the text of a limits file. Folders in it are taken from `folder`.
    ///
    /// # Errors
    ///
    /// Every mistake in the text, sorted by line.
    pub fn parse(text: &str, folder: &Path) -> Result<LimitsFile, Vec<Problem>> {
        // Nothing in a limits file is only odd.
        text::parse(text, |_, _| (), |root, problems| check(root, folder, problems)).map(|(file, _no_warnings)| file)
    }

    /// What a tenant may use; `None` where the file does not name it and refuses those.
    pub fn of(&self, tenant: &TenantId) -> Option<&TenantLimits> {
        match (self.tenants.get(tenant), self.unknown) {
            (Some(named), _) => Some(named),
            (None, Unknown::Defaults) => Some(&self.defaults),
            (None, Unknown::Refuse) => None,
        }
    }

    /// A tenant's limits: its own, else the defaults.
    pub fn limits_of(&self, tenant: &TenantId) -> &Limits {
        &self.tenants.get(tenant).unwrap_or(&self.defaults).limits
    }

    /// A tenant's folders: its own, else the defaults'.
    pub fn folders_of(&self, tenant: &TenantId) -> &Folders {
        &self.tenants.get(tenant).unwrap_or(&self.defaults).folders
    }

    /// A tenant's topics: its own, else the defaults'.
    pub fn topics_of(&self, tenant: &TenantId) -> &Topics {
        &self.tenants.get(tenant).unwrap_or(&self.defaults).topics
    }

    /// Whether a query file at this path may speak for the tenant; one that is no file may.
    pub(super) fn may_speak(&self, path: Option<&Path>, tenant: &TenantId) -> bool {
        let queries = self.of(tenant).and_then(|given| given.queries.paths());
        let real = path.map(|path| real_path(path).path);
        queries.zip(real).is_none_or(|(within, real)| within.iter().any(|folder| real.starts_with(folder)))
    }

    /// The tenants that the file names.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.tenants.keys()
    }

    /// Where it was read from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

fn check(mut root: Table<'_>, folder: &Path, problems: &Problems) -> Option<LimitsFile> {
    let unknown = root.optional("unknown_tenants").map_or(Some(Unknown::Refuse), |item| item.choice(&UNKNOWN));
    let usual = TenantLimits { topics: Topics::anything().without_env(), ..TenantLimits::default() };
    let defaults = root.section("defaults", |table| tenant(table, &usual, folder, "`defaults`")).unwrap_or(usual);
    let mut tenants = BTreeMap::new();
    if let Some(table) = root.optional("tenants").and_then(|item| item.table()) {
        for (name, item) in table.items() {
            let id = name.parse::<TenantId>();
            if let Err(error) = &id {
                problems.error(&item.place, error.to_string(), "");
            }
            // What stands below a wrong name is read all the same, for its own mistakes.
            let read = item.table().map(|table| tenant(table, &defaults, folder, "a tenant"));
            if let (Ok(id), Some(read)) = (id, read) {
                tenants.insert(id, read);
            }
        }
    }
    root.finish("a limits file");
    Some(LimitsFile { path: None, defaults, tenants, unknown: unknown? })
}

fn tenant(mut table: Table<'_>, base: &TenantLimits, folder: &Path, what: &str) -> TenantLimits {
    let limits = limits::of_tenant(&mut table, &base.limits);
    let sizes = Sizes::read(&mut table, base.sizes);
    let queries = table.optional("queries").and_then(|item| folders(&item, folder));
    let folders = table.optional("folders").and_then(|item| folders(&item, folder));
    let mut topics = base.topics.clone();
    table.optional("topics").iter().for_each(|item| topics.set_topics(item));
    table.optional("brokers").iter().for_each(|item| topics.set_brokers(item));
    table.optional("env").iter().for_each(|item| topics.set_env(item));
    table.finish(what);
    TenantLimits {
        limits,
        folders: folders.unwrap_or_else(|| base.folders.clone()),
        topics,
        sizes,
        queries: queries.unwrap_or_else(|| base.queries.clone()),
    }
}

fn folders(item: &Item<'_>, folder: &Path) -> Option<Folders> {
    let written = item.texts()?;
    let mut paths = Vec::with_capacity(written.len());
    for (place, written) in &written {
        let path = folder.join(written);
        match Folders::within([&path]) {
            Ok(_) => paths.push(path),
            Err(error) => {
                let help = "make the folder first: one that is made later could be a link to anywhere";
                item.error_at(place, format!("`{}` is no folder that can be used: {error}", clip(written)), help);
            }
        }
    }
    if paths.len() < written.len() {
        return None;
    }
    // Of folders that were all there a moment ago.
    Folders::within(paths).map_err(|error| item.error(format!("the folders cannot be used: {error}"), "")).ok()
}
