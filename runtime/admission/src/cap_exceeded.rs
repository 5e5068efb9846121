//! A module exceeds a cap of admission.

use std::fmt;

use wasmtime::wasmparser::{ExternalKind, KnownCustom, Name, Parser, Payload};

use crate::limits::Amount;
use crate::module_limits::NATIVE_BYTES;
use crate::{ModuleLimits, Unit};

/// The maximum number of characters shown of a function's name.
const NAME_CHARS_MAX: usize = 80;

/// A module exceeds a cap: where, which, by how much, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapExceeded {
    /// The part of the module; `None` for the whole module.
    pub place: Option<CapPlace>,
    /// What is counted: `locals of a function`.
    pub what: &'static str,
    /// The key of the cap in a limits file.
    pub key: &'static str,
    /// The unit of the numbers.
    pub unit: Unit,
    /// The maximum. For caps in proportion to the module's size, it may be higher than the value of the key.
    pub limit: u64,
    /// A lower bound of what the module has: checking stops at the cap.
    pub found: u64,
    /// What the author of the module can do.
    pub mend: &'static str,
}

/// The part of a module that exceeds a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapPlace {
    /// A function.
    Function {
        /// Its index; imported functions count.
        index: u32,
        /// Its name from the name section, or else an export's name; escaped and cut.
        name: Option<String>,
    },
    /// The whole module. The function is the one that contributes most, among those up to the cap.
    Mostly {
        /// As above.
        index: u32,
        /// As above.
        name: Option<String>,
    },
    /// A type.
    Type(u32),
}

impl CapExceeded {
    /// For a cap of [`ModuleLimits`].
    pub(crate) fn of_key(key: &str, limit: usize, found: usize, place: Option<CapPlace>) -> CapExceeded {
        let cap = ModuleLimits::CAPS.iter().find(|cap| cap.key == key);
        let (key, what, mend) = cap.map_or(("module", "module", ""), |cap| (cap.key, cap.what, cap.mend));
        CapExceeded { place, ..CapExceeded::of_module((key, what, mend), limit, found) }
    }

    /// For machine code of this size, which exceeds this limit.
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

    /// Adds the function's name. This is done late, because names follow the code, and most modules do not exceed caps.
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

/// The name of a function from the name section, or else of its export. Invalid sections are ignored.
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
