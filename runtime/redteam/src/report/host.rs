//! The table of the attacks on the host: a column for each wall.

use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};

use super::table::percent;
use super::{Report, Row};
use crate::{HostEffect, HostWall, SHARE_MIN};

/// The heads of the columns before those of the walls.
const HEAD: [&str; 3] = ["attack on the host", "share %", "fair %"];

impl Report {
    /// Rows of attacks on the host that were run.
    fn host_rows(&self) -> impl Iterator<Item = (&Row, &HostEffect)> {
        self.rows.iter().filter_map(|row| Some((row, row.host.as_ref()?)))
    }

    /// The table for a terminal; empty where there is nothing in it.
    pub(super) fn host_text(&self) -> String {
        if self.host_rows().next().is_none() {
            return String::new();
        }
        let head = HEAD.into_iter().chain(HostWall::ALL.map(HostWall::name));
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(head)
            .add_rows(self.host_rows().map(|(row, host)| cells(row, host)));
        if let Some(column) = table.column_mut(0) {
            column.set_padding((0, 1));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        format!("\n{}\n", lines.join("\n"))
    }

    /// The table for a page.
    pub(super) fn host_markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head: Vec<String> =
            HEAD.into_iter().chain(HostWall::ALL.map(HostWall::name)).map(ToOwned::to_owned).collect();
        let mut text = format!("\n{}|{}\n", line(head.clone()), "---|".repeat(head.len()));
        let mut rows = self.host_rows().peekable();
        if rows.peek().is_none() {
            return String::new();
        }
        rows.for_each(|(row, host)| text.push_str(&line(cells(row, host)).replace('_', "\\_")));
        text
    }

    /// What stands below the table: the smallest share of a victim beside attackers that wanted more than theirs.
    pub(super) fn host_share(&self) -> Option<String> {
        let shares = self.host_rows().filter_map(|(row, host)| Some((row, host.share? / host.fair_share)));
        let (row, kept) = shares.min_by(|one, other| one.1.total_cmp(&other.1))?;
        let (kept, least) = (percent(kept.min(1.0)), percent(SHARE_MIN));
        Some(format!("{kept} % of a fair share of CPU time at least, beside {} (target {least} %)", row.name))
    }
}

fn cells(row: &Row, host: &HostEffect) -> Vec<String> {
    let share = host.share.map(percent).unwrap_or_default();
    let walls = host.walls.iter().map(|(_, mark)| mark.to_string());
    [row.name.clone(), share, percent(host.fair_share)].into_iter().chain(walls).collect()
}

/// What a victim kept, for programs.
pub(super) fn json(host: &HostEffect) -> Value {
    let walls: Map<String, Value> =
        host.walls.iter().map(|(wall, mark)| (wall.name().to_owned(), Value::from(mark.name()))).collect();
    json!({
        "share": host.share,
        "fair_share": host.fair_share,
        "records": host.records,
        "supervisor_bytes_max": host.supervisor_bytes_max,
        "worker_bytes_max": host.worker_bytes_max,
        "walls": walls,
    })
}
