//! `on_error` and `retry` of stages and sinks.

use serde::{Deserialize, Serialize};

use crate::key::{Key, Keys, object};
use crate::kinds::{Integer, Word};
use crate::problem::KeyPlace;
use crate::table::Table;
use crate::words::{ErrorPolicy, OnErrorWord};

/// More attempts than anybody waits for.
const TIMES_MAX: u64 = 1_000_000;

const BACKOFF_MS_MAX: u64 = 30_000;

/// What becomes of what fails, as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OnErrorDraft {
    /// Where `on_error` is, if it is given.
    pub place: Option<KeyPlace>,
    /// What becomes of a record, after the last attempt.
    pub policy: ErrorPolicy,
    /// How it is tried again; `None` where it is not.
    pub retry: Option<RetryKeys>,
}

keys! {
    /// `on_error` of stages and sinks.
    pub struct OnErrorKeys {
        /// What to do with a record that fails.
        on_error: Word<OnErrorWord> = OnErrorWord::Fail;
    }
}

keys! {
    /// How to retry what failed.
    pub struct RetryKeys {
        /// What to do with a record when all attempts have failed, or when a sink cannot take it.
        then: Word<ErrorPolicy> = ErrorPolicy::Fail;
        /// The number of attempts in a row.
        times_max: Integer(1, TIMES_MAX) = 5;
        /// The pause before the first attempt, in milliseconds. It doubles for each further attempt, up to 30 s.
        backoff_ms: Integer(1, BACKOFF_MS_MAX) = 100;
    }
}

impl OnErrorDraft {
    /// Reads both keys; `what` is `a stage` or `a sink`, for the message.
    pub(crate) fn read(table: &mut Table<'_>, what: &str) -> OnErrorDraft {
        let on_error = OnErrorKeys::read(table).on_error;
        let policy = match on_error.value {
            Some(OnErrorWord::Retry) => {
                let retry = table.section("retry", |mut table| {
                    let keys = RetryKeys::read(&mut table);
                    table.finish(&format!("`retry` of {what}"));
                    keys
                });
                let retry = retry.unwrap_or_else(RetryKeys::usual);
                let policy = retry.then.value.unwrap_or_default();
                return OnErrorDraft { place: on_error.place, policy, retry: Some(retry) };
            }
            Some(OnErrorWord::Skip) => ErrorPolicy::Skip,
            Some(OnErrorWord::DeadLetter) => ErrorPolicy::DeadLetter,
            Some(OnErrorWord::Fail) | None => ErrorPolicy::Fail,
        };
        if let Some(item) = table.optional("retry") {
            item.error("`retry` has no effect here", "set `on_error = \"retry\"`, or remove `retry`");
        }
        OnErrorDraft { place: on_error.place, policy, retry: None }
    }

    /// Describes both keys of a stage or sink in its own words.
    pub(crate) fn describe(on_error: &str, retry: &str) -> Vec<Key> {
        let mut keys = OnErrorKeys::describe();
        keys.iter_mut().for_each(|key| on_error.clone_into(&mut key.doc));
        keys.push(Key {
            name: "retry",
            required: false,
            default: serde_json::Value::Null,
            schema: object(&RetryKeys::describe(), &serde_json::json!({})),
            values: "table".to_owned(),
            doc: retry.to_owned(),
        });
        keys
    }
}

/// What holds of both keys, as JSON Schema.
pub(crate) fn rules() -> serde_json::Value {
    serde_json::json!({
        "if": { "properties": { "on_error": { "type": "string", "not": { "const": "retry" } } } },
        "then": { "properties": { "retry": false } },
    })
}

impl RetryKeys {
    /// What holds where the file does not say.
    pub fn usual() -> RetryKeys {
        crate::table::read_nothing(RetryKeys::read)
    }
}
