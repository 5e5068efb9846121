//! Landlock: files by folder, signals and abstract sockets by domain.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};

use crate::{ConfineError, Enforced};

/// What is handled, and so refused but for the rules. Rights of later versions are left to the kernel's default.
const HANDLED: ABI = ABI::V5;

/// Lets only these files and folders be used. Opened with the rights of this process, links followed.
pub(crate) fn keep_to(reads: &[PathBuf], writes: &[PathBuf]) -> Result<(Enforced, u32), ConfineError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let make = make_bitflags!(AccessFs::{MakeReg | MakeDir | RemoveFile | RemoveDir | Refer});
    let write = read | make | make_bitflags!(AccessFs::{WriteFile | Truncate});
    let mut rules = Vec::new();
    for (paths, access) in [(reads, read), (writes, write)] {
        for path in paths {
            rules.push(rule(path, access)?);
        }
    }
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(HANDLED))?.create()?;
        for rule in rules {
            ruleset = ruleset.add_rule(rule)?;
        }
        ruleset.restrict_self()
    };
    let status = restrict().map_err(failed)?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    };
    Ok((enforced(&status), abi))
}

fn rule(path: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<OwnedFd>, ConfineError> {
    let failed = |source| ConfineError::Folder { path: path.to_owned(), source };
    let file = fs::File::options().read(true).custom_flags(libc::O_PATH).open(path).map_err(failed)?;
    let is_folder = file.metadata().map_err(failed)?.is_dir();
    // What is for folders only makes the whole rule invalid on a file.
    let access = if is_folder { access } else { access & AccessFs::from_file(HANDLED) };
    Ok(PathBeneath::new(file.into(), access))
}

/// Signals and abstract sockets of other domains are out of reach, and no TCP port is bound or connected.
pub(crate) fn keep_signals_within() -> Result<Enforced, ConfineError> {
    let create = || -> Result<RulesetCreated, RulesetError> {
        Ruleset::default().handle_access(AccessNet::from_all(HANDLED))?.scope(Scope::from_all(ABI::V6))?.create()
    };
    let status = create().and_then(RulesetCreated::restrict_self).map_err(failed)?;
    Ok(enforced(&status))
}

fn enforced(status: &RestrictionStatus) -> Enforced {
    match status.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Fully,
        RulesetStatus::PartiallyEnforced => Enforced::Partly,
        RulesetStatus::NotEnforced => Enforced::No,
    }
}

fn failed(error: RulesetError) -> ConfineError {
    ConfineError::step("enter a Landlock domain")(std::io::Error::other(error))
}
