//! Suggestions for mistyped words.

/// Longer words get no suggestions: a comparison costs the product of both lengths.
const WORD_CHARS_MAX: usize = 64;

/// The candidate that is most like a word: at most a third of the characters mistyped, or many left out. Ignores case.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(3, 0.8, word, candidates)
}

/// Like [`nearest`], for candidates that are similar to each other, such as names with common beginnings: at most a quarter of the
/// characters mistyped, or fewer left out.
pub fn nearest_of_alike<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(4, 0.85, word, candidates)
}

/// Accepts one mistyped character per this number of characters, or a Jaro-Winkler similarity of at least this value (0 to 1).
fn within<'a>(
    mistyped: usize,
    likeness_min: f64,
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: String = word.chars().take(WORD_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let mistyped_max = word.chars().count().div_ceil(mistyped);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower: String = candidate.chars().take(2 * WORD_CHARS_MAX).flat_map(char::to_lowercase).collect();
            let (distance, likeness) = (strsim::osa_distance(&word, &lower), strsim::jaro_winkler(&word, &lower));
            (distance <= mistyped_max || likeness >= likeness_min).then_some((distance, likeness, candidate))
        })
        .min_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)))
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_nothing_else() {
        let names = ["path", "paths", "format", "on_error"];
        let check = |word: &str, expect: Option<&str>| assert_eq!(nearest(word, names), expect, "{word}");
        check("pth", Some("path"));
        check("PATH", Some("path"));
        check("onerror", Some("on_error"));
        check("zzz", None);
        check("", None);
        check(&"p".repeat(1_000_000), None);
        assert_eq!(nearest("ssl.ca.location", ["ssl.ca.pem"]), Some("ssl.ca.pem"));
        assert_eq!(nearest_of_alike("ssl.ca.location", ["ssl.ca.pem"]), None);
        assert_eq!(nearest("x", [] as [&str; 0]), None);
    }
}
