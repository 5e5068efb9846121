//! The report as a table for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Report, Row};

/// What of a typed error's text is shown.
const HAPPENED_CHARS_MAX: usize = 72;

impl Report {
    /// A line for each row, then the summary.
    pub fn to_text(&self) -> String {
        let head = ["row", "attack", "class", "expected", "happened", "end ms", "loss %", "p99 ms", ""];
        let mut lines = vec![head.map(ToOwned::to_owned)];
        lines.extend(self.rows.iter().map(cells));
        let widths: Vec<usize> = (0..head.len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for (line, row) in lines.iter().zip(std::iter::once(None).chain(self.rows.iter().map(Some))) {
            let mut shown = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let space = " ".repeat(width - cell.chars().count());
                // Numbers end below each other.
                let (before, after) =
                    if matches!(column, 0 | 5 | 6 | 7) { (space, String::new()) } else { (String::new(), space) };
                shown.push_str(&format!("{before}{cell}{after}  "));
            }
            text.push_str(shown.trim_end());
            text.push('\n');
            if let Some(wrong) = row.and_then(|row| row.wrong.as_ref()) {
                text.push_str(&format!("     {wrong}\n"));
            }
        }
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
        row.name.clone(),
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
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.chars().count() <= chars_max {
        return line;
    }
    let start: String = line.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{}…", start.trim_end())
}

pub(super) fn millis(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.1}", part * 100.0)
}
