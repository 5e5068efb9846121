//! Which letters are meant.

use std::collections::BTreeSet;

use weir_state::Letter;

/// Which letters are meant; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LetterFilter {
    /// Of this source or stage.
    pub place: Option<String>,
    /// With this code, or of this family: `trap` for all that ended a function by itself, `guest` for all that a function refused.
    pub code: Option<String>,
    /// With one of these numbers.
    pub only: Option<BTreeSet<u64>>,
}

impl LetterFilter {
    /// Whether a letter is meant.
    pub fn admits(&self, number: u64, letter: &Letter) -> bool {
        self.place.as_ref().is_none_or(|place| *place == letter.place)
            && self.code.as_ref().is_none_or(|code| is_of(code, &letter.code))
            && self.only.as_ref().is_none_or(|only| only.contains(&number))
    }
}

/// Codes of records that ended a function by itself: a panic, an access outside of its memory, a recursion without end.
const TRAPS: [&str; 4] = ["trap", "unreachable", "out_of_bounds", "stack_overflow"];

/// Whether a code is the one that is asked for, or of that family.
fn is_of(asked: &str, code: &str) -> bool {
    match asked {
        "trap" => TRAPS.contains(&code),
        "guest" => code.starts_with("guest:"),
        _ => asked == code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_codes() {
        for (asked, code, found) in [
            ("trap", "unreachable", true),
            ("trap", "trap", true),
            ("trap", "deadline", false),
            ("guest", "guest:7", true),
            ("guest:7", "guest:7", true),
            ("guest:7", "guest:77", false),
            ("unreachable", "trap", false),
        ] {
            assert_eq!(is_of(asked, code), found, "{asked} {code}");
        }
    }
}
