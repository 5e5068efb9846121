//! Guests that attack their host, one attack per file. This crate does not know the host: it describes what the host must withstand
//! only in terms of the ABI (`guest-sdk/ABI.md`).
//!
//! An attack is one file: `attacks/NN_name.wat` for text, or `src/made/rNN_name.rs` for modules that are generated, or that are not
//! modules. NN is its row in the catalogue; a letter distinguishes several attacks of one row. A text begins with `;; key: value`
//! lines, followed by a few comment lines that describe the attack and why it could do harm:
//!
//! | key | value |
//! |---|---|
//! | `title` | a few words for reports |
//! | `class` | of [`Class::name`] |
//! | `expect` | `answered`, `refused CODE…` or `ended CODE…` |
//! | `kind` | optional: `filter` (where it is left out), `map`, `filter_map`, `flat_map` or `metrics`, `fallible` before it where it is |
//! | `output` | optional: the fields of a map, `o i64` where it is left out |
//! | `manifest` | optional, in place of both: a line of the manifest as it stands |
//! | `bare` | optional, no value: the text is the whole module |
//! | `raw` | optional, no value: the text is handed in as it is |
//!
//! The imports of the ABI (`$get_i64`, …) and the manifest are added. `{{name}}` is replaced by a number that depends on the
//! target's limits. These functions are added too, if the attack calls them:
//!
//! - `$is(probe, found, expected)` stores the probe's number in the global `$wrong` if the two values differ and none did before;
//! - `$keep_all(at, rows)` emits a filter that keeps all rows, using memory at `at`.
//!
//! How an attack runs: its bytes are admitted with the target's limits. Its first function is bound to a stream with the fields `n`
//! i64, `s` utf8 and `f` f64, without carried fields, and called with three batches of 1,000 rows (`n` from 0, `s` is `record_{n}`,
//! `f` is 1.5 n) on one instance.

mod attack;
mod bombs;
mod bytes;
mod elsewhere;
mod made;
mod target;
mod text;

pub use attack::{Attack, Class, Expect};
pub use elsewhere::ELSEWHERE;
pub use target::Target;

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));
