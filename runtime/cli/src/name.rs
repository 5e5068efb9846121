//! Names a query and its tenant in messages.

use std::fmt;

use serde_json::{Map, Value};

/// Which of several queries a message is about.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) query: String,
    pub(crate) tenant: String,
}

/// `query late of tenant acme`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query {} of tenant {}", self.query, self.tenant)
    }
}

/// The report on a query in JSON, with its name first where there are several queries.
pub(crate) fn named(name: Option<&Name>, said: Value) -> Value {
    let (Some(name), Value::Object(fields)) = (name, &said) else { return said };
    let mut all = Map::new();
    all.insert("query".to_owned(), name.query.as_str().into());
    all.insert("tenant".to_owned(), name.tenant.as_str().into());
    all.extend(fields.clone());
    Value::Object(all)
}
