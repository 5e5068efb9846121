//! The report as a table for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use weir_text::{elide, escape};

use super::{Report, Row};

/// What of a typed error's text is shown.
const HAPPENED_CHARS_MAX: usize = 72;

impl Report {
    /// A line for each row, then the summary.
    pub fn to_text(&self) -> String {
        let head = ["row", "attack", "class", "expected", "happened", "end ms", "loss %", "p99 ms", ""];
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head).add_rows(self.rows.iter().map(cells));
        for (index, column) in table.column_iter_mut().enumerate() {
            // Numbers end below each other.
            let right = matches!(index, 0 | 5 | 6 | 7);
            column.set_padding((u16::from(index > 0), 1));
            column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
        }
        let mut text = String::new();
        // Each row is one line, below the head's.
        for (line, row) in table.lines().zip(std::iter::once(None).chain(self.rows.iter().map(Some))) {
            text.push_str(line.trim_end());
            text.push('\n');
            if let Some(wrong) = row.and_then(|row| row.wrong.as_ref()) {
                text.push_str(&format!("     {}\n", escape(wrong)));
            }
        }
        text.push_str(&self.host_text());
        text.push('\n');
        for (name, value) in self.summary() {
            let _written = writeln!(text, "{name:<18} {value}").is_ok();
        }
        text
    }
}

impl Row {
    /// From the call to its end, and beyond its deadline.
    pub(super) fn end_ms(&self) -> String {
        let beyond = self.beyond.map(|beyond| format!(" +{}", millis(beyond))).unwrap_or_default();
        self.end.map(|end| format!("{}{beyond}", millis(end))).unwrap_or_default()
    }
}

fn cells(row: &Row) -> [String; 9] {
    [
        row.row.map_or("-".to_owned(), |row| row.to_string()),
        escape(&row.name),
        row.class.name().to_owned(),
        cut(&row.expected, 40),
        cut(&row.happened, HAPPENED_CHARS_MAX),
        row.end_ms(),
        row.loss().map(percent).unwrap_or_default(),
        row.p99().map(millis).unwrap_or_default(),
        if row.passes() { "PASS" } else { "FAIL" }.to_owned(),
    ]
}

/// The start of a text, on one line.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() { escape(text) } else { elide(text, chars_max.saturating_sub(1)) }
}

pub(super) fn millis(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.1}", part * 100.0)
}
