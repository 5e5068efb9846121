//! Text for people and terminals, each thing once.
//!
//! ```
//! use weir_text::{ByteCount, elide, escape, nearest};
//!
//! assert_eq!(escape("\u{1b}[31mred\nC:\\x"), r"\u{1b}[31mred\nC:\x");
//! assert_eq!(elide("a long name", 6), "a long…");
//! assert_eq!(ByteCount(12_345).to_string(), "12.3 kB");
//! assert_eq!(nearest("jsonlines", ["csv", "json_lines"]), Some("json_lines"));
//! ```
//!
//! # The nouns
//!
//! **[`escape`]**: text from outside (guests, files, topics, other processes), so that it can neither break a line nor colour a
//! terminal nor turn the reading direction. [`escape_to`] and [`escape_within`] take a part of it, [`elide`] marks what it left
//! out, [`escape_display`] ends what has no end, [`escape_lines`] keeps line ends, [`escape_quoted`] is for text in quotes, [`escape_json`]
//! keeps JSON the same JSON, [`brief`] is for what libraries say in errors, and [`Escaping`] takes what is being
//! written. All of them have one rule, and what is escaped once stays as it is when it is escaped again. Cost: linear in what
//! is kept.
//!
//! **[`nearest`], [`nearest_of_alike`]**: what somebody may have meant by a mistyped word.
//!
//! **[`hex`], [`percent_decoded`]**: bytes as text, and text as bytes.
//!
//! **[`ByteCount`], [`Count`], [`Rate`]**: numbers for people.

mod bytes;
mod escape;
mod nearest;
mod number;

pub use bytes::{hex, percent_decoded};
pub use escape::{
    Escaping, brief, elide, escape, escape_display, escape_json, escape_lines, escape_quoted, escape_to, escape_within,
};
pub use nearest::{nearest, nearest_of_alike};
pub use number::{ByteCount, Count, Rate};
