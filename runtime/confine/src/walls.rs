//! Which walls are in force.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "bincode")]
use bincode::{Decode, Encode};
use weir_fault::Fault;

/// Something that the kernel takes away from a process, where it can. Limits of resources, the change of uid and the loss of
/// capabilities are in force in any case, or [`confine`](crate::confine) fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
#[non_exhaustive]
pub enum Wall {
    /// The list of system calls.
    Seccomp,
    /// Files only below given folders.
    Landlock,
    /// Signals and abstract sockets of other processes.
    LandlockScopes,
    /// No memory becomes executable.
    Mdwe,
}

impl Wall {
    /// All of them.
    pub const ALL: [Wall; 4] = [Wall::Seccomp, Wall::Landlock, Wall::LandlockScopes, Wall::Mdwe];

    /// Its name in settings and reports: `seccomp`, `landlock`, `landlock-scopes`, `mdwe`.
    pub fn name(self) -> &'static str {
        match self {
            Wall::Seccomp => "seccomp",
            Wall::Landlock => "landlock",
            Wall::LandlockScopes => "landlock-scopes",
            Wall::Mdwe => "mdwe",
        }
    }

    /// Whether tenants that do not trust each other must not run without it. The others are a second lock on doors that these
    /// keep shut.
    pub fn required(self) -> bool {
        matches!(self, Wall::Seccomp | Wall::Landlock)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no wall.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("unknown wall {name:?} (expected seccomp, landlock, landlock-scopes or mdwe)")]
pub struct UnknownWall {
    /// The text.
    pub name: String,
}

impl UnknownWall {
    /// Whose fault it is: whoever wrote the setting.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Never: the setting has to change.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl FromStr for Wall {
    type Err = UnknownWall;

    fn from_str(name: &str) -> Result<Wall, UnknownWall> {
        let known = Wall::ALL.into_iter().find(|wall| wall.name() == name);
        known.ok_or_else(|| UnknownWall { name: name.to_owned() })
    }
}

/// Whether the kernel enforces something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
pub enum Enforced {
    /// All of it.
    Fully,
    /// As much as this kernel knows of it.
    Partly,
    /// Nothing: the kernel does not have it, or it was left out.
    No,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Enforced::Fully => "enforced",
            Enforced::Partly => "enforced in part",
            Enforced::No => "not available",
        })
    }
}

/// The walls around a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
pub struct Walls {
    /// Only the system calls of its role are left, with arguments that reach no other process (seccomp).
    pub system_calls: Enforced,
    /// Only paths of its folders can be opened, made, renamed or removed (Landlock). `Fully` from Linux 6.10 on; before 6.2 a
    /// file that may be read can be truncated by whoever may write to it by its mode.
    pub files: Enforced,
    /// No process outside can be sent a signal by whatever call, and no abstract socket reached (Landlock's scopes, Linux 6.12);
    /// no TCP port connected or bound (Linux 6.7). Without them the system calls that do so are refused still.
    pub signals: Enforced,
    /// Memory that was writable never becomes executable (`PR_SET_MDWE`, Linux 6.3). Without it the system calls that would make
    /// it so are refused still.
    pub executable_memory: Enforced,
    /// The version of Landlock that is in force; 0 for none.
    pub landlock_abi: u32,
}

/// The first version of Landlock that keeps folders apart and lets files be renamed between the folders of one tenant.
const LANDLOCK_ABI_LEAST: u32 = 2;

impl Walls {
    /// No wall at all.
    pub const NONE: Walls = Walls {
        system_calls: Enforced::No,
        files: Enforced::No,
        signals: Enforced::No,
        executable_memory: Enforced::No,
        landlock_abi: 0,
    };

    /// How far one is in force.
    pub fn of(&self, wall: Wall) -> Enforced {
        match wall {
            Wall::Seccomp => self.system_calls,
            Wall::Landlock if self.landlock_abi < LANDLOCK_ABI_LEAST => Enforced::No,
            Wall::Landlock => self.files,
            Wall::LandlockScopes => self.signals,
            Wall::Mdwe => self.executable_memory,
        }
    }

    /// The required walls that are not in force. Runs with several tenants are refused unless the operator gives up each by its
    /// [name](Wall::name).
    pub fn missing(&self) -> Vec<Wall> {
        Wall::ALL.into_iter().filter(|&wall| wall.required() && self.of(wall) == Enforced::No).collect()
    }
}

impl fmt::Display for Walls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, wall) in Wall::ALL.into_iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{wall} {}", self.of(wall))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_debian_12_has_is_enough_and_less_is_named() {
        let full = Walls {
            system_calls: Enforced::Fully,
            files: Enforced::Fully,
            signals: Enforced::Fully,
            executable_memory: Enforced::Fully,
            landlock_abi: 7,
        };
        let debian_12 = Walls {
            files: Enforced::Partly,
            signals: Enforced::No,
            executable_memory: Enforced::No,
            landlock_abi: 2,
            ..full
        };
        let report = [full, debian_12, Walls { landlock_abi: 1, ..debian_12 }, Walls::NONE]
            .map(|walls| format!("{walls}; missing {:?}\n", walls.missing()))
            .concat();
        expect![[r#"
            seccomp enforced, landlock enforced, landlock-scopes enforced, mdwe enforced; missing []
            seccomp enforced, landlock enforced in part, landlock-scopes not available, mdwe not available; missing []
            seccomp enforced, landlock not available, landlock-scopes not available, mdwe not available; missing [Landlock]
            seccomp not available, landlock not available, landlock-scopes not available, mdwe not available; missing [Seccomp, Landlock]
        "#]]
        .assert_eq(&report);
    }

    #[test]
    fn walls_are_read_by_name() {
        for wall in Wall::ALL {
            assert_eq!(wall.to_string().parse(), Ok(wall));
        }
        let unknown = "Landlock".parse::<Wall>().unwrap_err().to_string();
        expect![[r#"unknown wall "Landlock" (expected seccomp, landlock, landlock-scopes or mdwe)"#]]
            .assert_eq(&unknown);
    }
}
