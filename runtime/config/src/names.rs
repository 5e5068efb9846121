//! The names of a query, its sources, stages and sinks.

use std::collections::BTreeMap;

use crate::problem::{KeyPlace, Problems, clip};

/// The longest name, in bytes: as that of functions and fields.
const NAME_LEN_MAX: usize = 64;

/// The same as a regular expression of JSON Schema.
pub(crate) const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9_-]{0,63}$";

/// Reports a name that is none.
pub(crate) fn check(name: &str, place: &KeyPlace, problems: &Problems) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if begins_well && name.bytes().all(allowed) && name.len() <= NAME_LEN_MAX {
        return true;
    }
    let message = format!("invalid name `{}`", clip(name));
    let help = format!("use at most {NAME_LEN_MAX} of a-z, 0-9, `_` and `-`, a letter or digit first");
    problems.error(place, message, help);
    false
}

/// Who has which name. Sources, stages and sinks share one space: messages and counters call them by name alone.
#[derive(Default)]
pub(crate) struct Names {
    owners: BTreeMap<String, &'static str>,
}

impl Names {
    /// Gives the name to a `what`, or reports that it is taken.
    pub(crate) fn claim(&mut self, name: &str, what: &'static str, place: &KeyPlace, problems: &Problems) {
        if let Some(owner) = self.owners.get(name) {
            problems.error(
                place,
                format!("the name `{}` is already used by a {owner}", clip(name)),
                "choose another name",
            );
        } else {
            self.owners.insert(name.to_owned(), what);
        }
    }
}
