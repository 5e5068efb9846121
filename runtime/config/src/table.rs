//! Reading a TOML table key by key, with every mistake recorded at its place.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::hints;
use crate::problem::{KeyPlace, Problems, clip, nearest, suggest};
use crate::written::WrittenText;

/// The longest list that is read, be it of stages, paths or names: checks compare elements with each other.
pub(crate) const LIST_MAX: usize = 1000;

/// A table being read. Each key that is asked for becomes a known one; [`Table::finish`] reports the others.
pub(crate) struct Table<'a> {
    pub(crate) place: KeyPlace,
    entries: &'a DeTable<'a>,
    known: Vec<&'static str>,
    // Keys that are refused in words of their own, and never suggested.
    misplaced: Vec<&'static str>,
    pub(crate) problems: &'a Problems,
}

impl<'a> Table<'a> {
    pub(crate) fn new(place: KeyPlace, entries: &'a DeTable<'a>, problems: &'a Problems) -> Table<'a> {
        Table { place, entries, known: Vec::new(), misplaced: Vec::new(), problems }
    }

    /// A key that does not belong here, and is refused by whoever asks in better words than those for unknown keys.
    pub(crate) fn misplaced(&mut self, name: &'static str) -> Option<Item<'a>> {
        self.misplaced.push(name);
        self.get(name)
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Item<'a>> {
        if self.misplaced.contains(&name) {
            return None;
        }
        self.known.push(name);
        self.get(name)
    }

    /// The value of a key that may not be left out; `help` says what to write.
    pub(crate) fn required(&mut self, name: &'static str, help: &str) -> Option<Item<'a>> {
        let item = self.optional(name);
        if item.is_none() {
            self.problems.error(&self.place.child(name, self.place.offset), "missing", help);
        }
        item
    }

    /// Reads a table below this one whose absence is the same as its being empty.
    pub(crate) fn section<T>(&mut self, name: &'static str, read: impl FnOnce(Table<'a>) -> T) -> Option<T> {
        let table = self.optional(name)?.table()?;
        Some(read(table))
    }

    /// Every key and value, in the order of the text: for tables whose keys are names.
    pub(crate) fn items(&self) -> Vec<(&'a str, Item<'a>)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.into_iter().map(|(key, value)| (&**key.get_ref(), self.item(key, value))).collect()
    }

    /// Reports the keys that nobody asked for; `what` the table describes, for the message.
    pub(crate) fn finish(self, what: &str) {
        for (name, item) in self.items() {
            if !self.known.contains(&name) && !self.misplaced.contains(&name) {
                let help = suggest(name, self.known.iter().copied(), "its keys are");
                self.problems.error(&item.place, format!("{what} has no such key"), help);
            }
        }
    }

    /// A key's value, without the key's becoming a known one.
    pub(crate) fn get(&self, name: &str) -> Option<Item<'a>> {
        let (key, value) = self.entries.get_key_value(name)?;
        Some(self.item(key, value))
    }

    fn item(&self, key: &'a Spanned<std::borrow::Cow<'a, str>>, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        // A table that is begun twice, `[sources.a]` and `[sources.b]`, keeps the key of its first header: the
        // element's own span, where there is one, is the header that stands above its keys.
        let span = match value.get_ref() {
            DeValue::Table(_) if value.span().start > key.span().start => key.span(),
            DeValue::Table(_) if !value.span().is_empty() => value.span(),
            _ => key.span(),
        };
        Item { place: self.place.child(key.get_ref(), span.start), value: value.get_ref(), problems: self.problems }
    }
}

/// A value and its place. The readers answer `None` after recording what is wrong.
#[derive(Clone)]
pub struct Item<'a> {
    pub(crate) place: KeyPlace,
    value: &'a DeValue<'a>,
    problems: &'a Problems,
}

impl<'a> Item<'a> {
    /// The value as it stands.
    pub(crate) fn value(&self) -> &'a DeValue<'a> {
        self.value
    }

    /// Whether the environment gave the value.
    pub(crate) fn is_of_environment(&self) -> bool {
        self.problems.is_of_environment(&self.place)
    }

    /// Records that the value is wrong.
    pub(crate) fn error(&self, message: impl Into<String>, help: impl Into<String>) {
        self.problems.error(&self.place, message, help);
    }

    /// Records that an element of the value is wrong.
    pub(crate) fn error_at(&self, place: &KeyPlace, message: impl Into<String>, help: impl Into<String>) {
        self.problems.error(place, message, help);
    }

    /// Text that is not empty.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let Some(text) = self.value.as_str() else { return self.wrong_type("a string") };
        if text.is_empty() {
            self.error("must not be empty", "");
            return None;
        }
        Some(text)
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let help = suggest(text, choices.iter().map(|(word, _)| *word), "use one of");
            self.error(format!("unknown value `{}`", clip(text)), help);
        }
        found.map(|(_, choice)| *choice)
    }

    /// An integer within a range.
    pub(crate) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(integer) = self.value else {
            let key = self.place.key.rsplit('.').next().unwrap_or_default();
            let meant = self.value.as_str().and_then(|text| hints::plain_number(text, key));
            let help = match self.is_of_environment() {
                true => Some("an environment variable is text: write the number in the file".to_owned()),
                false => meant.map(|number| format!("write the number without quotes: {number}")),
            };
            return self.wrong_type_but("an integer", help.unwrap_or_default());
        };
        let value = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value.and_then(|value| u64::try_from(value).ok()).filter(|value| range.contains(value));
        if value.is_none() {
            let help = match (range.start(), range.end()) {
                (start, &u64::MAX) => format!("use a number of at least {start}"),
                (start, end) => format!("use a number from {start} to {end}"),
            };
            self.error(format!("{} is out of range", clip(&integer.to_string())), help);
        }
        value
    }

    /// True or false.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type("true or false"),
        }
    }

    /// A table.
    pub(crate) fn table(&self) -> Option<Table<'a>> {
        match self.value {
            DeValue::Table(entries) => Some(Table::new(self.place.clone(), entries, self.problems)),
            _ => self.wrong_type("a table"),
        }
    }

    /// A list of tables, each named by `name` in the paths of its keys; `name` sees the table and its index.
    pub(crate) fn tables(&self) -> Vec<Table<'a>> {
        let DeValue::Array(array) = self.value else {
            let help = match self.value {
                DeValue::Table(_) => format!("begin each with `[[{}]]` (two brackets)", self.place.key),
                _ => String::new(),
            };
            return self.wrong_type_but("a list of tables", help).unwrap_or_default();
        };
        if array.len() > LIST_MAX {
            self.error(format!("a list of {}", array.len()), format!("use at most {LIST_MAX}"));
            return Vec::new();
        }
        let mut tables = Vec::with_capacity(array.len());
        for (index, element) in array.iter().enumerate() {
            let item = self.element(index, element);
            tables.extend(item.table().map(|mut table| {
                // A table that has a name is called by it; one that has none, by its position.
                let name = table.get("name").and_then(|name| name.value.as_str()).filter(|name| !name.is_empty());
                if let Some(name) = name {
                    table.place = self.place.child(name, table.place.offset);
                }
                table
            }));
        }
        tables
    }

    /// One text, or a list of at least one.
    pub(crate) fn texts(&self) -> Option<Vec<WrittenText>> {
        match self.value {
            DeValue::String(_) => Some(vec![WrittenText { place: self.place.clone(), text: self.text()?.to_owned() }]),
            DeValue::Array(array) if array.is_empty() => {
                self.error("an empty list", "name at least one");
                None
            }
            DeValue::Array(array) if array.len() > LIST_MAX => {
                self.error(format!("a list of {}", array.len()), format!("name at most {LIST_MAX}"));
                None
            }
            DeValue::Array(array) => {
                let items = array.iter().enumerate().map(|(index, element)| self.element(index, element));
                // Every element is read before the first bad one ends it, so that each bad one is reported.
                let texts: Vec<_> =
                    items.map(|item| Some(WrittenText { text: item.text()?.to_owned(), place: item.place })).collect();
                texts.into_iter().collect()
            }
            _ => self.wrong_type("a string or a list of strings"),
        }
    }

    /// What is to be said where another type was expected, not recorded yet.
    pub(crate) fn type_mistake(&self, expected: &str) -> Option<(String, String)> {
        self.type_mistake_but(expected, String::new())
    }

    /// Records that another type was expected.
    pub(crate) fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        self.wrong_type_but(expected, String::new())
    }

    /// The same with what to write instead.
    fn wrong_type_but<T>(&self, expected: &str, help: String) -> Option<T> {
        if let Some((message, help)) = self.type_mistake_but(expected, help) {
            self.error(message, help);
        }
        None
    }

    fn type_mistake_but(&self, expected: &str, help: String) -> Option<(String, String)> {
        let mut help = help;
        if self.is_of_environment() && help.is_empty() {
            "an environment variable is text: write the value in the file".clone_into(&mut help);
        }
        if let DeValue::Table(table) = self.value
            && table.contains_key("env")
        {
            // The variable is what is wrong, and that has been reported.
            if self.problems.has_error_below(&self.place) {
                return None;
            }
            if help.is_empty() && table.len() == 1 {
                "an environment variable cannot be used here: write the value in the file".clone_into(&mut help);
            }
        } else if let DeValue::Table(table) = self.value
            && let (1, Some((key, _))) = (table.len(), table.iter().next())
            && help.is_empty()
            && nearest(key.get_ref(), ["env"]).is_some()
        {
            "did you mean `{ env = \"NAME\" }`?".clone_into(&mut help);
        }
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Some((format!("expected {expected}, found {found}"), help))
    }

    fn element(&self, index: usize, element: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        let place = self.place.element(index, element.span().start);
        Item { place, value: element.get_ref(), problems: self.problems }
    }
}

/// What keys are where a file says nothing of them.
pub(crate) fn read_nothing<T>(read: impl FnOnce(&mut Table<'_>) -> T) -> T {
    let (entries, problems) = (DeTable::new(), Problems::new(""));
    read(&mut Table::new(KeyPlace::default(), &entries, &problems))
}
