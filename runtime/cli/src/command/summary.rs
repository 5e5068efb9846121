//! A query's summary, said.

use serde_json::json;
use weir_query::Summary;

use crate::exit::{say, say_json};
use crate::name::{Name, named};

pub(super) fn tell(summary: &Summary, name: Option<&Name>, quiet: bool, json: bool) {
    if json {
        say_json(&named(name, json!({ "summary": summary })));
    } else if !quiet {
        say(summary.to_string().trim_end());
    }
}
