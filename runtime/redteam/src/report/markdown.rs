//! The report for a page.

use super::table::{cut, millis, percent};
use super::{Report, Row};

impl Report {
    /// A table of the rows, and a list of the figures.
    pub fn to_markdown(&self) -> String {
        let mut text =
            "| row | attack | class | expected | what happened | end, ms | loss, % | p99, ms | |\n".to_owned();
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text.push_str(&self.host_markdown());
        text.push('\n');
        for (name, value) in self.summary() {
            text.push_str(&format!("- {}: {}\n", escaped(&name), escaped(&value)));
        }
        text
    }
}

fn line(row: &Row) -> String {
    let number = row.row.map_or("-".to_owned(), |row| row.to_string());
    let end = row.end_ms();
    let loss = row.loss().map(percent).unwrap_or_default();
    let p99 = row.p99().map(millis).unwrap_or_default();
    let (expected, mut happened) = (escaped(&row.expected), escaped(&cut(&row.happened, 120)));
    if let Some(wrong) = &row.wrong {
        happened.push_str(&format!(" ({})", escaped(wrong)));
    }
    let verdict = if row.passes() { "PASS" } else { "**FAIL**" };
    let title = escaped(&row.title);
    let class = row.class.name();
    format!("| {number} | {title} | {class} | {expected} | {happened} | {end} | {loss} | {p99} | {verdict} |\n")
}

/// What came from a guest must not end a cell or become mark-up.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '<' | '*' | '_' | '[' | '\\' | '`' => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
