//! Text for people and terminals: escaping, suggestions, numbers.
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
//! **[`escape`]**: makes text from outside (guests, files, topics, other processes) safe to print: the text cannot break a line,
//! colour a terminal or change the reading direction. Variants: [`escape_to`] and [`escape_within`] limit the length, [`elide`]
//! adds an ellipsis, [`escape_display`] stops long `Display` output, [`escape_lines`] keeps line ends, [`escape_quoted`] is for
//! text in quotes, [`escape_json`] keeps JSON valid, [`brief`] is for error messages of libraries, and [`Escaping`] escapes while
//! writing. All use the same rule, and escaping a text twice has the same result as escaping it once. The cost is linear in the
//! output.
//!
//! **[`nearest`], [`nearest_of_alike`]**: suggestions for a mistyped word.
//!
//! **[`hex`], [`percent_decoded`]**: convert bytes to text, and text to bytes.
//!
//! **[`ByteCount`], [`Count`], [`Rate`]**: format numbers for people.

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
