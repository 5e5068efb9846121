//! Landlock: files by folder, signals and abstract sockets by domain.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};

use crate::{ConfineError, Confinement, Enforced, Role, Wall};

/// The versions whose rights are handled, and so refused but for the rules.
const FILES: ABI = ABI::V5;
const TCP: ABI = ABI::V4;
const SCOPES: ABI = ABI::V6;

/// What Landlock does for a process.
pub(crate) struct Domain {
    pub(crate) files: Enforced,
    pub(crate) signals: Enforced,
    pub(crate) abi: u32,
}

/// Lets only the files and folders of the confinement be used, and keeps signals and abstract sockets within this process; no TCP
/// port is bound or connected, but by a connector. Folders are opened with the rights of this process, links followed.
///
/// All of it is one domain: a second one without rules for files would refuse every change of folder (`Refer`).
pub(crate) fn enter_domain(confinement: &Confinement) -> Result<Domain, ConfineError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let make = make_bitflags!(AccessFs::{MakeReg | MakeDir | RemoveFile | RemoveDir | Refer});
    let write = read | make | make_bitflags!(AccessFs::{WriteFile | Truncate});
    let (files, signals) = (confinement.has(Wall::Landlock), confinement.has(Wall::LandlockScopes));
    let mut rules = Vec::new();
    for (paths, access) in [(&confinement.reads, read), (&confinement.writes, write)] {
        for path in paths.iter().filter(|_| files) {
            rules.push(rule(path, access)?);
        }
    }
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        let mut ruleset = Ruleset::default();
        if files {
            ruleset = ruleset.handle_access(AccessFs::from_all(FILES))?;
        }
        if signals {
            ruleset = ruleset.scope(Scope::from_all(SCOPES))?;
        }
        if signals && confinement.role != Role::Connector {
            ruleset = ruleset.handle_access(AccessNet::from_all(TCP))?;
        }
        let mut ruleset = ruleset.create()?;
        for rule in rules {
            ruleset = ruleset.add_rule(rule)?;
        }
        ruleset.restrict_self()
    };
    if !files && !signals {
        return Ok(Domain { files: Enforced::No, signals: Enforced::No, abi: 0 });
    }
    let status = restrict().map_err(failed)?;
    let abi = match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) | (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => {
            ABI::Unsupported
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi,
    };
    // Each right is in force from its version on.
    let since = |wanted: bool, first: ABI, whole: ABI| match wanted {
        true if abi >= whole => Enforced::Fully,
        true if abi >= first => Enforced::Partly,
        _ => Enforced::No,
    };
    Ok(Domain { files: since(files, ABI::V1, FILES), signals: since(signals, TCP, SCOPES), abi: abi as u32 })
}

fn rule(path: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<OwnedFd>, ConfineError> {
    let failed = |source| ConfineError::Folder { path: path.to_owned(), source };
    let file = fs::File::options().read(true).custom_flags(libc::O_PATH).open(path).map_err(failed)?;
    let is_folder = file.metadata().map_err(failed)?.is_dir();
    // What is for folders only makes the whole rule invalid on a file.
    let access = if is_folder { access } else { access & AccessFs::from_file(FILES) };
    Ok(PathBeneath::new(file.into(), access))
}

fn failed(error: RulesetError) -> ConfineError {
    ConfineError::step("enter a Landlock domain")(std::io::Error::other(error))
}
