//! Rust text cut into tokens. Comments and white space are dropped.

/// One word, literal or sign, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// As it is written; of a raw identifier (`r#type`) only its name. `::` is one token, every other sign is one of its own.
    pub(crate) text: &'a str,
    /// From 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Whether it is an identifier or a keyword.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c.is_alphabetic()) && !self.text.ends_with(['"', '\'', '#'])
    }
}

/// Cuts a text into tokens. Text that is no Rust gives some tokens too: the compiler complains about it, not this.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kept) = match first {
            _ if first.is_whitespace() => (first.len_utf8(), false),
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            ':' if rest.starts_with("::") => (2, true),
            '"' => (quoted(rest, '"'), true),
            '\'' => (quote_or_lifetime(rest), true),
            _ if first == '_' || first.is_alphabetic() => (word_or_literal(rest), true),
            _ if first.is_ascii_digit() => (number(rest), true),
            _ => (first.len_utf8(), true),
        };
        let (token, after) = rest.split_at(length);
        if kept {
            let text = if token.ends_with(['"', '#']) { token } else { token.strip_prefix("r#").unwrap_or(token) };
            found.push(Token { text, line });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    found
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of a literal that starts with this sign and ends with its next one, past escapes.
fn quoted(text: &str, sign: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == sign => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'` is a character, `'a` a lifetime.
fn quote_or_lifetime(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    let (first, second) = (chars.next(), chars.next());
    match first {
        Some(first) if first != '\\' && second != Some('\'') => 1 + word(&text[1..]).max(1),
        _ => quoted(text, '\''),
    }
}

/// A word, or a literal with a prefix of letters: `b"…"`, `c"…"`, `r#"…"#`, `b'…'`.
fn word_or_literal(text: &str) -> usize {
    let length = word(text);
    let (prefix, rest) = text.split_at(length);
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    match prefix {
        "r" | "br" | "cr" if rest[hashes..].starts_with('"') => {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = length + hashes + 1;
            text[body..].find(&end).map_or(text.len(), |at| body + at + end.len())
        }
        "r" if hashes == 1 => length + 1 + word(&rest[1..]),
        "b" | "c" if rest.starts_with('"') => length + quoted(rest, '"'),
        "b" if rest.starts_with('\'') => length + quoted(rest, '\''),
        _ => length,
    }
}

fn word(text: &str) -> usize {
    text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len())
}

/// A number with its suffix. A point belongs to it where a digit follows: `1.max(2)` and `0..3` are not fractions.
fn number(text: &str) -> usize {
    let whole = word(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + word(fraction),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let shown: Vec<String> = tokens(text).iter().map(|it| format!("{}:{}", it.line, it.text)).collect();
        expected.assert_eq(&shown.join(" "));
    }

    #[test]
    fn comments_are_dropped_and_lines_counted() {
        check(
            "//! page\nuse /* a /* b */\n c */ crate::x; // end\nfn f() {}",
            expect!["2:use 3:crate 3::: 3:x 3:; 4:fn 4:f 4:( 4:) 4:{ 4:}"],
        );
    }

    #[test]
    fn what_literals_hold_is_no_code() {
        check(
            r####"a("use x; \" }", r#"" } "#, b"\"", br##"}"# "##, '{', '\'', b'}', "two
lines") r#type 'static 'a 1.5e3 1..2 1.max"####,
            expect![[r####"
                1:a 1:( 1:"use x; \" }" 1:, 1:r#"" } "# 1:, 1:b"\"" 1:, 1:br##"}"# "## 1:, 1:'{' 1:, 1:'\'' 1:, 1:b'}' 1:, 1:"two
                lines" 2:) 2:type 2:'static 2:'a 2:1.5e3 2:1 2:. 2:. 2:2 2:1 2:. 2:max"####]],
        );
    }

    #[test]
    fn text_that_is_cut_off_ends() {
        for text in ["\"abc", "/* a", "r#\"abc", "'", "b'", "r#", "'\\", "1."] {
            assert!(tokens(text).len() <= 2, "{text}");
        }
    }
}
