//! A cap of admission that a module is beyond.

use std::fmt;

use wasmtime::wasmparser::{ExternalKind, KnownCustom, Name, Parser, Payload};

use crate::limits::Amount;
use crate::module_limits::NATIVE_BYTES;
use crate::{ModuleLimits, Unit};

/// The most characters of a function's name that are shown.
const NAME_CHARS_MAX: usize = 80;

/// A module beyond a cap: where, which, by how much, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapExceeded {
    /// The part of the module, where it is not the whole.
    pub place: Option<CapPlace>,
    /// What is counted: `locals of a function`.
    pub what: &'static str,
    /// The key of the cap in a limits file.
    pub key: &'static str,
    /// What the numbers count.
    pub unit: Unit,
    /// The most that is allowed. In proportion to the module's size, this may be more than the key says.
    pub limit: u64,
    /// What was found, at least: what comes after is not looked at.
    pub found: u64,
    /// What the module's author can do.
    pub mend: &'static str,
}

/// Where a module is beyond a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapPlace {
    /// In this function.
    Function {
        /// Its index, imported functions counted.
        index: u32,
        /// Its name: by the name section, else an export's; escaped and cut.
        name: Option<String>,
    },
    /// In the whole module, and the most of it in this function, of those up to the one that is beyond.
    Mostly {
        /// As above.
        index: u32,
        /// As above.
        name: Option<String>,
    },
    /// In this type.
    Type(u32),
}

impl CapExceeded {
    /// For a cap of [`ModuleLimits`].
    pub(crate) fn of_key(key: &str, limit: usize, found: usize, place: Option<CapPlace>) -> CapExceeded {
        let cap = ModuleLimits::CAPS.iter().find(|cap| cap.key == key);
        let (key, what, mend) = cap.map_or(("module", "module", ""), |cap| (cap.key, cap.what, cap.mend));
        CapExceeded { place, ..CapExceeded::of_module((key, what, mend), limit, found) }
    }

    /// For machine code of this size, under this limit.
    pub fn of_native_code(limit: usize, found: usize) -> CapExceeded {
        CapExceeded::of_module(NATIVE_BYTES, limit, found)
    }

    pub(crate) fn of_module(
        (key, what, mend): (&'static str, &'static str, &'static str),
        limit: usize,
        found: usize,
    ) -> CapExceeded {
        let unit = if key.ends_with("_bytes_max") { Unit::Bytes } else { Unit::Count };
        CapExceeded { place: None, what, key, unit, limit: limit as u64, found: found as u64, mend }
    }

    /// Whether the module as a whole is too large.
    pub(crate) fn is_of_whole(&self) -> bool {
        matches!(self.key, "module_bytes_max" | "module_file_bytes_max")
    }

    /// Looks up the function's name. Only now: names stand behind the code, and most modules are within all caps.
    pub(crate) fn named(mut self, module: &[u8]) -> CapExceeded {
        if let Some(CapPlace::Function { index, name } | CapPlace::Mostly { index, name }) = &mut self.place {
            *name = name_of(module, *index);
        }
        self
    }
}

impl fmt::Display for CapExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CapExceeded { place, what, key, unit, limit, found, mend } = self;
        let function = |index: &u32, name: &Option<String>| match name {
            Some(name) => format!("function {index} `{name}`"),
            None => format!("function {index}"),
        };
        match place {
            Some(CapPlace::Function { index, name }) => write!(f, "{}: ", function(index, name))?,
            Some(CapPlace::Type(index)) => write!(f, "type {index}: ")?,
            Some(CapPlace::Mostly { .. }) | None => {}
        }
        write!(f, "{what} limit reached: limit {}, found {}", Amount(unit, *limit), Amount(unit, *found))?;
        if let Some(CapPlace::Mostly { index, name }) = place {
            write!(f, ", most of them in {}", function(index, name))?;
        }
        write!(f, "; {mend}, or raise `{key}` in the limits file")
    }
}

/// The name of a function: by the name section, else of its export. What is not valid there names nothing.
fn name_of(module: &[u8], index: u32) -> Option<String> {
    let shown = |name: &str| weir_text::escape_display(rustc_demangle::demangle(name), NAME_CHARS_MAX);
    let mut exported = None;
    for payload in Parser::new(0).parse_all(module) {
        match payload {
            Ok(Payload::ExportSection(section)) => {
                let exports = section.into_iter().flatten();
                let mut functions = exports.filter(|export| export.kind == ExternalKind::Func);
                exported = exported.or_else(|| functions.find(|export| export.index == index).map(|it| shown(it.name)));
            }
            Ok(Payload::CustomSection(section)) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for part in names {
                    let Ok(Name::Function(functions)) = part else { continue };
                    let mut functions = functions.into_iter().flatten();
                    if let Some(naming) = functions.find(|naming| naming.index == index) {
                        return Some(shown(naming.name));
                    }
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    exported
}
