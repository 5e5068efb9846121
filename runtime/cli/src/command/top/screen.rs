//! The table on a terminal.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table, TableState};

use super::fit::{Fit, SPACING, cut};
use super::model::Look;
use super::rows::{HEADINGS, Order, Row, rows};
use crate::control::{Align, clean};

/// What the keys have chosen.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) order: Order,
    selected: usize,
}

impl Screen {
    pub(super) fn scroll(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by);
    }

    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, now: &Look, before: Option<&Look>) {
        let rows = rows(now, before, self.order);
        self.selected = self.selected.min(rows.len().saturating_sub(1));
        let silent = u16::try_from(now.silent.len().min(3)).unwrap_or(0);
        let [head, body, trouble, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(silent),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let plural = if now.queries.len() == 1 { "query" } else { "queries" };
        let title = format!("weir top: {} {plural}, by {}", now.queries.len(), self.order.name());
        frame.render_widget(Line::styled(title, Modifier::BOLD), head);

        let lines = rows.into_iter().map(|row| (style(&row), row.with_place())).collect::<Vec<_>>();
        let mut widths = HEADINGS.map(|(heading, _)| heading.chars().count());
        for (_, cells) in &lines {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let Fit { columns, missing } = Fit::new(widths, usize::from(body.width));
        let cell = |index: usize, width: usize, text: &str| {
            let side = if HEADINGS[index].1 == Align::Left { Alignment::Left } else { Alignment::Right };
            Cell::new(Text::raw(cut(text, width)).alignment(side))
        };
        let headings = columns.iter().map(|&(index, width)| cell(index, width, HEADINGS[index].0));
        let lines = lines.iter().map(|(style, cells)| {
            TableRow::new(columns.iter().map(|&(index, width)| cell(index, width, &cells[index]))).style(*style)
        });
        let lengths = columns.iter().map(|&(_, width)| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
        let table = Table::new(lines, lengths)
            .column_spacing(SPACING as u16)
            .header(TableRow::new(headings).style(Modifier::UNDERLINED))
            .row_highlight_style(Modifier::REVERSED);
        frame.render_stateful_widget(table, body, &mut TableState::new().with_selected(self.selected));

        let said: Vec<Line<'_>> = now.silent.iter().map(|silent| Line::styled(clean(silent), Color::Red)).collect();
        frame.render_widget(Paragraph::new(said), trouble);
        let mut keys = "q quit   ↑↓ move   s order".to_owned();
        if !missing.is_empty() {
            keys.push_str(&format!("   no room: {}", missing.join(" ")));
        }
        frame.render_widget(cut(&keys, usize::from(foot.width)), foot);
    }
}

fn style(row: &Row) -> Style {
    let style = if row.is_query { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    if row.troubled { style.fg(Color::Red) } else { style }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use expect_test::expect;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use weir_query::StageProgress;

    use super::*;
    use crate::control::Seen;

    fn seen(report: serde_json::Value) -> Seen {
        serde_json::from_value(report).expect("a report")
    }

    fn look(at: Instant, read: u64) -> Look {
        let partition = |number: i32, lag: i64| {
            json!({ "origin": "t", "number": number, "read": null, "committed": null, "end": null, "lag": lag,
                    "read_to_end": false, "done": false })
        };
        let progress =
            |state: &str, sources: serde_json::Value, stages: serde_json::Value, sinks: serde_json::Value| {
                json!({ "state": state, "sources": sources, "stages": stages, "sinks": sinks, "commits": 1,
                    "committed_records": 0, "uncommitted_records": 0, "restarts": 0 })
            };
        let source = json!([{ "name": "in", "records": read, "bytes": 0, "batches": 0, "failed": 0, "dead": 0, "unfinished": 0,
            "extent": { "read": read, "of": 12_000_000 }, "partitions": [partition(0, 1200), partition(1, 34)] }]);
        let mut stage = StageProgress::default();
        (stage.name, stage.records_in, stage.records_out) = ("f".into(), read, 12);
        stage.guest_nanos = read * 250_000;
        let stage = json!([stage]);
        let sink =
            json!([{ "name": "out", "records": 12, "bytes": 0, "batches": 0, "files": 0, "failed": 0, "dead": 0 }]);
        let late = json!({ "query": "late", "tenant": "acme", "uptime_ms": 1, "commit_ms": 1, "seconds_left": 130,
            "ended": null, "progress": progress("running", source, stage, sink) });
        let odd = json!({ "query": "a\u{1b}[31m", "tenant": "beta", "uptime_ms": 1, "commit_ms": 1,
            "ended": null, "progress": progress("retrying", json!([]), json!([]), json!([])) });
        let mut look = Look::new(at);
        [late, odd].into_iter().for_each(|report| look.add("host:1", &seen(report)));
        let told = json!({ "workers": [{ "worker": 3, "tenant": "acme", "state": "running", "is_running": true, "pid": 7,
            "cpu_ms": read / 10_000, "memory_bytes": 5_662_310, "threads": 8, "descriptors": 20, "restarts": 2,
            "last_end": null, "lines_dropped": 0, "is_throttled": false }] });
        look.add_workers("host:1", &serde_json::from_value(told).expect("workers"));
        look.silent.push("host:2: it does not answer".to_owned());
        look
    }

    #[test]
    fn a_narrow_terminal_does_without_columns_and_shows_no_part_of_a_number() {
        let start = Instant::now();
        let (before, now) = (look(start, 1_000_000), look(start + Duration::from_secs(2), 5_000_000));
        let mut screen = Screen::default();
        let mut draw = |width| {
            let mut terminal = Terminal::new(TestBackend::new(width, 10)).expect("a terminal");
            terminal.draw(|frame| screen.draw(frame, &now, Some(&before))).expect("a frame");
            terminal.backend().to_string()
        };
        expect![[r#"
            "weir top: 2 queries, by name            "
            "NAME                       OUT/s  ERRORS"
            "acme/late (host:1)     2,000,000       0"
            "  source in            2,000,000       0"
            "  stage f                      0       0"
            "  sink out                     0        "
            "beta/a\u{1b}[31m (ho…          0       0"
            "worker 3 of acme: 5.…                   "
            "host:2: it does not answer              "
            "q quit   ↑↓ move   s order   no room: I…"
        "#]]
        .assert_eq(&draw(40));
        expect![[r#"
            "weir top: 2 queries, by name                                    "
            "NAME              STATE         OUT/s  ERRORS    LAG        LEFT"
            "acme/late (host…  running   2,000,000       0  1,234  2 min 10 s"
            "  source in                 2,000,000       0  1,234            "
            "  stage f                           0       0                   "
            "  sink out                          0                           "
            "beta/a\u{1b}[31…  retrying          0       0      -           -"
            "worker 3 of acm…  running                                       "
            "host:2: it does not answer                                      "
            "q quit   ↑↓ move   s order   no room: IN OUT BUSY TRAPS DONE    "
        "#]]
        .assert_eq(&draw(64));
        // Nothing is drawn outside, however small it is.
        (1..40).for_each(|width| drop(draw(width)));
    }

    #[test]
    fn queries_stages_sinks_and_lags_are_drawn_and_sorted() {
        let start = Instant::now();
        let (before, now) = (look(start, 1000), look(start + Duration::from_secs(2), 5000));
        let mut terminal = Terminal::new(TestBackend::new(96, 11)).expect("a terminal");
        let mut screen = Screen::default();
        terminal.draw(|frame| screen.draw(frame, &now, Some(&before))).expect("a frame");
        expect![[r#"
            "weir top: 2 queries, by name                                                                    "
            "NAME                 STATE        IN    OUT  OUT/s  BUSY  ERRORS  TRAPS    LAG  DONE        LEFT"
            "acme/late (host:1)   running   5,000     12  2,000             0      0  1,234    0%  2 min 10 s"
            "  source in                           5,000  2,000             0         1,234    0%            "
            "  stage f                      5,000     12      0   50%       0      0                         "
            "  sink out                        12             0                                              "
            "beta/a\u{1b}[31m (…  retrying      0      0      0             0      0      -     -           -"
            "worker 3 of acme: …  running                          0%                                        "
            "                                                                                                "
            "host:2: it does not answer                                                                      "
            "q quit   ↑↓ move   s order                                                                      "
        "#]]
        .assert_eq(&terminal.backend().to_string());
        // By lag, and another one is selected.
        screen.order = Order::Lag;
        screen.scroll(100);
        terminal.draw(|frame| screen.draw(frame, &now, None)).expect("a frame");
        assert_eq!(screen.selected, 5);
        assert!(terminal.backend().to_string().contains("by lag"));
    }
}
