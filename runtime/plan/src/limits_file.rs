//! Limits files: the limits of each tenant of a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_admission::{Limits, TenantId};
use weir_config::{
    KeyPlace, LimitsDraft, Problem, Problems, QueryFileError, RightKeys, Setting, TenantDraft, Topics, UnknownTenants,
    WrittenText, clip,
};

use super::limits;
use super::placement::Placement;
use super::processes::{ProcessLimits, Workers};
use super::sizes::Sizes;
use super::text;
use weir_files::{Folders, real_path};

/// The limits, folders and topics of each tenant, from a TOML file.
///
/// ```
/// use weir_plan::LimitsFile;
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
    // The path from which it was read, so that no query writes to it.
    path: Option<PathBuf>,
    defaults: TenantLimits,
    tenants: BTreeMap<TenantId, TenantLimits>,
    unknown: UnknownTenants,
    workers: Workers,
}

/// The limits of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TenantLimits {
    /// The limits of its functions.
    pub limits: Limits,
    /// The folders in which its queries may read and write files, and have their modules.
    pub folders: Folders,
    /// The topics and brokers that its queries may use.
    pub topics: Topics,
    /// The maximum number of parts of each of its queries.
    pub sizes: Sizes,
    /// What its worker process may take of the machine.
    pub process: ProcessLimits,
    /// The folders in which its query files must be; anywhere by default.
    pub queries: Folders,
    /// Which worker its queries run in.
    pub placement: Placement,
    /// Networks that its worker may reach: `public`, or an address with its bits. Public addresses by default.
    pub networks: Vec<String>,
}

impl Default for TenantLimits {
    fn default() -> TenantLimits {
        TenantLimits {
            limits: Limits::default(),
            folders: Folders::default(),
            topics: Topics::default(),
            sizes: Sizes::default(),
            process: ProcessLimits::default(),
            queries: Folders::default(),
            placement: Placement::default(),
            networks: vec!["public".to_owned()],
        }
    }
}

impl TenantLimits {
    /// What a worker may that these tenants share: the folders and networks of all of them, and the sum of their shares of the cores.
    pub fn joined<'a>(all: impl IntoIterator<Item = &'a TenantLimits>) -> TenantLimits {
        let mut all = all.into_iter();
        let mut joined = all.next().cloned().unwrap_or_default();
        for TenantLimits { limits, folders, networks, process, .. } in all {
            joined.process = joined.process.joined(process);
            joined.folders = joined.folders.joined(folders);
            let others: Vec<String> = networks.iter().filter(|it| !joined.networks.contains(it)).cloned().collect();
            joined.networks.extend(others);
            let (ours, theirs) = (joined.limits.cpu_percent_max, limits.cpu_percent_max);
            joined.limits.cpu_percent_max = ours.zip(theirs).map(|(ours, theirs)| ours.saturating_add(theirs));
            // A worker's weight has the range of a tenant's.
            joined.limits.cpu_weight = joined.limits.cpu_weight.saturating_add(limits.cpu_weight).min(10_000);
        }
        joined
    }
}

impl LimitsFile {
    /// Reads and checks a limits file. Folders in it are relative to its own folder.
    ///
    /// # Errors
    ///
    /// All mistakes in the file, or an error of reading it.
    pub fn load(path: impl AsRef<Path>) -> Result<LimitsFile, QueryFileError> {
        let path = path.as_ref();
        let text = text::read(path, "limits")?;
        let file = LimitsFile::parse(&text, text::folder_of(path));
        let file = file.map_err(|problems| QueryFileError::new(path, problems))?;
        Ok(LimitsFile { path: Some(path.to_owned()), ..file })
    }

    /// Checks the text of a limits file. Folders in it are relative to `folder`.
    ///
    /// # Errors
    ///
    /// All mistakes in the text, sorted by line.
    pub fn parse(text: &str, folder: &Path) -> Result<LimitsFile, Vec<Problem>> {
        let (draft, problems) = LimitsDraft::read(text)?;
        let file = resolve(draft, folder, &problems);
        // There are no warnings for limits files.
        text::finish(file, problems).map(|(file, _no_warnings)| file)
    }

    /// A limits file that names only this tenant, and refuses every other one: what a process gets that works for one tenant. Whether a
    /// query file may speak for the tenant was decided by whoever made it. `path` is where the limits were read from, so that no query
    /// writes there.
    pub fn of_one(tenant: TenantId, limits: TenantLimits, path: Option<PathBuf>) -> LimitsFile {
        let limits = TenantLimits { queries: Folders::anywhere(), ..limits };
        LimitsFile { path, tenants: BTreeMap::from([(tenant, limits)]), ..LimitsFile::of_nobody() }
    }

    /// A limits file that refuses every tenant.
    pub fn of_nobody() -> LimitsFile {
        LimitsFile {
            path: None,
            defaults: TenantLimits::default(),
            tenants: BTreeMap::new(),
            unknown: UnknownTenants::Refuse,
            workers: Workers::default(),
        }
    }

    /// What a tenant may use; `None` where the file does not name it and refuses it, or where a query file at this path may not
    /// speak for it.
    pub fn granted(&self, path: &Path, tenant: &TenantId) -> Option<&TenantLimits> {
        self.of(tenant).filter(|_| self.may_speak(Some(path), tenant))
    }

    /// The limits of a tenant; `None` if the file does not name it and refuses unknown tenants.
    pub fn of(&self, tenant: &TenantId) -> Option<&TenantLimits> {
        match (self.tenants.get(tenant), self.unknown) {
            (Some(named), _) => Some(named),
            (None, UnknownTenants::Defaults) => Some(&self.defaults),
            (None, UnknownTenants::Refuse) => None,
        }
    }

    /// The limits of a tenant, or else the defaults.
    pub fn limits_of(&self, tenant: &TenantId) -> &Limits {
        &self.tenants.get(tenant).unwrap_or(&self.defaults).limits
    }

    /// The folders of a tenant, or else the defaults.
    pub fn folders_of(&self, tenant: &TenantId) -> &Folders {
        &self.tenants.get(tenant).unwrap_or(&self.defaults).folders
    }

    /// The topics of a tenant, or else the defaults.
    pub fn topics_of(&self, tenant: &TenantId) -> &Topics {
        &self.tenants.get(tenant).unwrap_or(&self.defaults).topics
    }

    /// Whether a query file at this path may use the tenant. A text without a path may.
    pub(super) fn may_speak(&self, path: Option<&Path>, tenant: &TenantId) -> bool {
        let queries = self.of(tenant).and_then(|given| given.queries.paths());
        let real = path.map(|path| real_path(path).path);
        queries.zip(real).is_none_or(|(within, real)| within.iter().any(|folder| real.starts_with(folder)))
    }

    /// The tenants in the file.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.tenants.keys()
    }

    /// What holds for the worker processes of all tenants.
    pub fn workers(&self) -> Workers {
        self.workers
    }

    /// The path from which it was read.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

fn resolve(draft: LimitsDraft, folder: &Path, problems: &Problems) -> Option<LimitsFile> {
    let usual = TenantLimits { topics: Topics::anything().without_env(), ..TenantLimits::default() };
    let defaults = draft.defaults.as_ref().map(|draft| tenant(draft, &usual, folder, problems)).unwrap_or(usual);
    let mut tenants = BTreeMap::new();
    for (WrittenText { place, text: name }, draft) in &draft.tenants {
        let id = name.parse::<TenantId>();
        if let Err(error) = &id {
            problems.error(place, error.to_string(), "");
        }
        // Values below an invalid name are resolved too, to find their mistakes.
        let resolved = draft.as_ref().map(|draft| tenant(draft, &defaults, folder, problems));
        if let (Ok(id), Some(resolved)) = (id, resolved) {
            tenants.insert(id, resolved);
        }
    }
    let workers = draft.workers.as_ref().map(Workers::resolve).unwrap_or_default();
    Some(LimitsFile { path: None, defaults, tenants, unknown: draft.unknown_tenants?, workers })
}

fn tenant(draft: &TenantDraft, base: &TenantLimits, folder: &Path, problems: &Problems) -> TenantLimits {
    let RightKeys { queries, folders, standard_input, topics, brokers, networks, env } = &draft.rights;
    let resolve = |written: &Setting<Vec<WrittenText>>| {
        written.given().and_then(|(place, written)| within(place, written, folder, problems))
    };
    let mut rights = base.topics.clone();
    topics.value.iter().cloned().for_each(|topics| rights.set_topics(topics));
    brokers.value.iter().cloned().for_each(|brokers| rights.set_brokers(brokers));
    env.value.iter().cloned().for_each(|env| rights.set_env(env));
    let folders = resolve(folders).unwrap_or_else(|| base.folders.clone());
    let reads_input = match standard_input.given() {
        Some((_, allowed)) => *allowed,
        None => base.folders.allows_standard_input_outside(),
    };
    TenantLimits {
        limits: limits::of_tenant(&draft.limits, &base.limits),
        queries: resolve(queries).unwrap_or_else(|| base.queries.clone()),
        folders: folders.with_standard_input(reads_input),
        topics: rights,
        sizes: Sizes::resolve(&draft.sizes, base.sizes),
        placement: Placement::resolve(&draft.placement, &base.placement, problems),
        networks: networks.value.clone().unwrap_or_else(|| base.networks.clone()),
        process: ProcessLimits::resolve(&draft.process, base.process),
    }
}

fn within(list: &KeyPlace, written: &[WrittenText], folder: &Path, problems: &Problems) -> Option<Folders> {
    let mut paths = Vec::with_capacity(written.len());
    for WrittenText { place, text } in written {
        let path = folder.join(text);
        match Folders::within([&path]) {
            Ok(_) => paths.push(path),
            Err(error) => {
                let help = "create the folder first; a folder that is created later could be a link to anywhere";
                problems.error(place, format!("`{}` is not a usable folder: {error}", clip(text)), help);
            }
        }
    }
    if paths.len() < written.len() {
        return None;
    }
    // The folders existed a moment ago.
    Folders::within(paths)
        .map_err(|error| problems.error(list, format!("the folders cannot be used: {error}"), ""))
        .ok()
}
