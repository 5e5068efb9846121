//! From text to TOML.

use toml::Spanned;
use toml::de::DeTable;

use crate::hints;
use crate::problem::{KeyPlace, Problem, Problems};

/// How many mistakes of TOML itself are listed: what follows the first ones often follows from them.
const SYNTAX_ERRORS_MAX: usize = 20;

/// The root table of a TOML text, or every mistake, sorted by line.
pub(crate) fn parse(text: &str) -> Result<(Spanned<DeTable<'_>>, Problems), Vec<Problem>> {
    let problems = Problems::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        if let Some(language) = hints::other_language(text) {
            let message = format!("this is {language}, but the file must be TOML");
            problems.error(
                &KeyPlace::default(),
                message,
                "write `name = \"…\"`, and a header such as `[sources.flights]` for each part",
            );
            return Err(problems.finish().err().unwrap_or_default());
        }
        let more = errors.len().saturating_sub(SYNTAX_ERRORS_MAX);
        for error in errors.into_iter().take(SYNTAX_ERRORS_MAX) {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().trim().replace('\n', ", ");
            problems.error(&KeyPlace { key: String::new(), offset }, format!("not valid TOML: {message}"), "");
        }
        if more > 0 {
            let last = KeyPlace { key: String::new(), offset: text.len() };
            problems.error(&last, format!("{more} more TOML mistakes are not listed"), "fix the first ones");
        }
        // What the parser made of the rest would be complained about for the wrong reasons.
        return Err(problems.finish().err().unwrap_or_default());
    }
    Ok((root, problems))
}
