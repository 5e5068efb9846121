//! Tables and names for people.

use std::io::{self, Write};

/// Names are cut after this.
const NAME_CHARS_MAX: usize = 160;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Writes rows below their headings, each column as wide as its widest cell. Cells are [`clean`] by then.
pub(crate) fn table<const N: usize>(
    out: &mut impl Write,
    headings: [(&str, Align); N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = headings.map(|(heading, _)| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let aligns = headings.map(|(_, align)| align);
    let mut line = |cells: [&str; N]| {
        let mut text = String::from(" ");
        for ((cell, width), align) in cells.iter().zip(widths).zip(aligns) {
            match align {
                Align::Left => text.push_str(&format!(" {cell:<width$} ")),
                Align::Right => text.push_str(&format!(" {cell:>width$} ")),
            }
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(headings.map(|(heading, _)| heading))?;
    for row in rows {
        line(row.each_ref().map(String::as_str))?;
    }
    Ok(())
}

/// Text that came from outside, so that it can neither break a line nor colour a terminal nor turn the reading
/// direction.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    for character in text.chars().take(NAME_CHARS_MAX) {
        match character {
            '"' | '\'' | '\\' => cleaned.push(character),
            other => cleaned.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(NAME_CHARS_MAX).is_some() {
        cleaned.push('…');
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let mut out = b"sinks\n".to_vec();
        let rows = [["a".to_owned(), "1,000".to_owned()], ["name".to_owned(), "7".to_owned()]];
        table(&mut out, [("SINK", Align::Left), ("N", Align::Right)], &rows).expect("a table");
        expect![[r#"
            sinks
              SINK      N
              a     1,000
              name      7
        "#]]
        .assert_eq(&String::from_utf8(out).expect("UTF-8"));
    }

    #[test]
    fn names_can_neither_break_a_line_nor_colour_it() {
        assert_eq!(clean("a\u{1b}[31m\n\u{202e}b'é"), r"a\u{1b}[31m\n\u{202e}b'é");
        assert_eq!(clean(&"x".repeat(200)).chars().count(), NAME_CHARS_MAX + 1);
    }
}
