//! Guests that attack their host, one attack a file. Knows nothing of the host: what it must withstand is stated from
//! the contract (`guest-sdk/ABI.md`) alone.
//!
//! An attack is one file: `attacks/NN_name.wat`, where it reads best as text, or `src/made/rNN_name.rs`, where it is
//! generated or is no module at all. NN is its row in the catalogue; a letter after it tells several of one row apart.
//! A text begins with what it is, one `;; key: value` a line, then says in a few comment lines what it does and why
//! that could hurt:
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
//! Around it come the imports of the contract (`$get_i64`, …) and the manifest. `{{name}}` stands for a number that
//! depends on what the target allows. Of these functions, those that it calls are added too:
//!
//! - `$is(probe, found, expected)` puts the probe's number into the global `$wrong` where the two differ and none did before;
//! - `$keep_all(at, rows)` emits a filter that keeps all rows, out of memory at `at`.
//!
//! How an attack is run: its bytes are admitted under the target's limits; its first function is bound to a stream of `n`
//! i64, `s` utf8 and `f` f64 with nothing carried, and called with three batches of 1,000 rows (`n` from 0, `s` is
//! `record_{n}`, `f` is 1.5 n) on one instance.

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
