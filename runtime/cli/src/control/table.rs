//! Tables and names for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use weir_text::elide;

/// Names are cut after this.
const NAME_CHARS_MAX: usize = 160;

/// On which side of its column a cell is.
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
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.map(|(heading, _)| heading)).add_rows(rows);
    for (index, (column, (_, align))) in table.column_iter_mut().zip(headings).enumerate() {
        column.set_cell_alignment(if align == Align::Left { CellAlignment::Left } else { CellAlignment::Right });
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// Text that came from outside, escaped and cut.
pub(crate) fn clean(text: &str) -> String {
    elide(text, NAME_CHARS_MAX)
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
