//! `{ env = "NAME" }`: strings that the environment gives.

use std::borrow::Cow;
use std::ffi::OsString;

use toml::de::{DeTable, DeValue};

use crate::problem::{KeyPlace, Problems, clip};
use crate::topics::Topics;

/// The longest value: certificates are shorter.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// What all values of a file may have together, which names some of them again and again.
const ALL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Tables that are no value, whatever keys they have: a parameter, field, option or header may be called `env`.
const TABLES: [&str; 6] = ["params", "schema", "options", "headers", "limits", "retry"];

/// Puts values of the environment in the place of every `{ env = "NAME" }` where a string may stand, before anything is read:
/// every rule for a string applies to them too. Names of a query and of its code cannot come from there.
///
/// `problems` gets variables that the tenant may not use, or that are not there, and knows from then on which values came from
/// the environment.
pub(crate) fn substitute(
    root: &mut DeTable<'_>,
    tenant: &str,
    rights: &Topics,
    lookup: &dyn Fn(&str) -> Option<OsString>,
    problems: &Problems,
) {
    let mut environment = Environment { tenant, rights, lookup, problems, bytes: 0 };
    for (key, value) in root.iter_mut() {
        let (name, place) = (&**key.get_ref(), KeyPlace::default().child(key.get_ref(), key.span().start));
        match (name, value.get_mut()) {
            ("sources" | "sinks", DeValue::Table(named)) => {
                for (key, value) in named.iter_mut() {
                    let place = place.child(key.get_ref(), key.span().start);
                    if let DeValue::Table(table) = value.get_mut() {
                        environment.table(table, &place, &[]);
                    }
                }
            }
            ("stages", DeValue::Array(stages)) => {
                for (index, stage) in stages.iter_mut().enumerate() {
                    let span = stage.span();
                    let DeValue::Table(table) = stage.get_mut() else { continue };
                    let name = table.get("name").and_then(|name| name.get_ref().as_str()).filter(|it| !it.is_empty());
                    let place = name.map_or_else(|| place.element(index, span.start), |it| place.child(it, span.start));
                    environment.table(table, &place, &["name", "module", "function"]);
                }
            }
            ("delivery" | "batching" | "dead_letters", DeValue::Table(table)) => {
                environment.table(table, &place, &[]);
            }
            // `name` and `tenant` are written out, and there are no others.
            _ => {}
        }
    }
}

struct Environment<'a> {
    tenant: &'a str,
    rights: &'a Topics,
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
    problems: &'a Problems,
    bytes: usize,
}

/// What a value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Of an option of Kafka's, which is checked as that, or of a guest's parameter, which may hold anything.
    Free,
    /// Everything else: a path, a name, a word.
    Plain,
}

impl Environment<'_> {
    /// A table whose keys are settings, but for those that are written out.
    fn table(&mut self, table: &mut DeTable<'_>, place: &KeyPlace, written_out: &[&str]) {
        for (key, value) in table.iter_mut() {
            let (name, place) = (&**key.get_ref(), place.child(key.get_ref(), key.span().start));
            match value.get_mut() {
                DeValue::Table(table) if TABLES.contains(&name) => {
                    let of = if matches!(name, "params" | "options") { Use::Free } else { Use::Plain };
                    for (key, value) in table.iter_mut() {
                        self.value(value.get_mut(), &place.child(key.get_ref(), key.span().start), of);
                    }
                }
                value if !written_out.contains(&name) => self.value(value, &place, Use::Plain),
                _ => {}
            }
        }
    }

    fn value(&mut self, value: &mut DeValue<'_>, place: &KeyPlace, of: Use) {
        match value {
            DeValue::Table(table) if table.contains_key("env") => {
                if let Some(text) = self.read(table, place, of) {
                    self.problems.came_from_environment(place);
                    *value = DeValue::String(Cow::Owned(text));
                }
            }
            DeValue::Array(array) => {
                for (index, element) in array.iter_mut().enumerate() {
                    let place = place.element(index, element.span().start);
                    self.value(element.get_mut(), &place, of);
                }
            }
            _ => {}
        }
    }

    /// The value that a table names. Reports why it cannot be had otherwise.
    fn read(&mut self, table: &DeTable<'_>, place: &KeyPlace, of: Use) -> Option<String> {
        for (key, _) in table.iter().filter(|(key, _)| &**key.get_ref() != "env") {
            let key_place = place.child(key.get_ref(), key.span().start);
            let message = "unknown key in an environment value";
            self.problems.error(&key_place, message, "write only `{ env = \"NAME\" }`");
        }
        if table.len() > 1 {
            return None;
        }
        let (key, value) = table.get_key_value("env")?;
        let place = place.child("env", key.span().start);
        let refuse = |message: String, help: &str| {
            self.problems.error(&place, message, help);
            None
        };
        let name = match value.get_ref().as_str() {
            Some(name) if !name.is_empty() && !name.contains(['=', '\0']) => name,
            Some(name) => return refuse(format!("`{}` is not a valid variable name", clip(name)), ""),
            None => {
                return refuse("expected the name of an environment variable".to_owned(), "write `{ env = \"NAME\" }`");
            }
        };
        let shown = clip(name);
        // Before the lookup, so that the message does not reveal whether other tenants' variables exist.
        if !self.rights.allows_env(name) {
            let help = match self.rights.env_listed().as_str() {
                "" => "add it to the tenant's `env` in the limits file".to_owned(),
                listed => format!("use {listed}"),
            };
            return refuse(format!("`{shown}` is not an allowed variable of tenant `{}`", self.tenant), &help);
        }
        let Some(value) = (self.lookup)(name) else {
            let help = "set it before you start weir";
            return refuse(format!("the environment variable `{shown}` is not set"), help);
        };
        let bytes = value.len();
        if bytes > VALUE_BYTES_MAX || self.bytes + bytes > ALL_BYTES_MAX {
            let message = match bytes > VALUE_BYTES_MAX {
                true => format!("the variable `{shown}` has {bytes} bytes: the maximum is {VALUE_BYTES_MAX}"),
                false => {
                    format!("the file reads more than {ALL_BYTES_MAX} bytes from the environment, including `{shown}`")
                }
            };
            return refuse(message, "keep long texts in files");
        }
        let Ok(value) = value.into_string() else {
            return refuse(format!("the variable `{shown}` is not UTF-8"), "");
        };
        if of == Use::Plain && value.contains(char::is_control) {
            let help = "remove it (often a line end at the end)";
            return refuse(format!("the variable `{shown}` contains a control character"), help);
        }
        self.bytes += bytes;
        Some(value)
    }
}
