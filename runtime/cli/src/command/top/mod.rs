//! `weir top`.

mod fetch;
mod model;
mod rows;
mod screen;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::fetch::Place;
use self::model::Look;
use self::rows::{HEADINGS, Order, rows};
use self::screen::Screen;
use crate::args::control::Top;
use crate::control::{everyone, table};
use crate::exit::{Exit, report, wrong};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn top(args: &Top, json: bool) -> anyhow::Result<Exit> {
    let places = args.endpoints.iter().map(|url| Place::parse(url).map_err(wrong)).collect::<Result<Vec<_>, _>>()?;
    if args.once {
        return once(&look(&places)?, json);
    }
    if json || !std::io::stdout().is_terminal() {
        return Err(wrong(anyhow::anyhow!(
            "standard output is no terminal to draw on: use `--once`, or `weir status`"
        )));
    }
    let mut terminal = ratatui::init();
    let done = watch(&mut terminal, &places);
    ratatui::restore();
    done.map(|()| Exit::Done)
}

/// Looks at all of them.
fn look(places: &[Place]) -> anyhow::Result<Look> {
    let mut look = Look::new(Instant::now());
    if places.is_empty() {
        let everyone = everyone()?;
        everyone.queries.iter().for_each(|found| look.add_found(found));
        look.silent.extend(everyone.silent.iter().map(|(pid, error)| format!("process {pid}: {error}")));
    }
    for place in places {
        match place.scrape() {
            Ok(scrape) => look.add_scrape(place.name(), &scrape),
            Err(error) => look.silent.push(format!("{}: {error}", place.name())),
        }
    }
    Ok(look)
}

fn once(look: &Look, json: bool) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    if json {
        for query in &look.queries {
            writeln!(out, "{}", serde_json::to_string(query)?)?;
        }
    } else if look.queries.is_empty() && look.silent.is_empty() {
        writeln!(out, "no query is running")?;
    } else {
        let rows: Vec<_> = rows(look, None, Order::Name).into_iter().map(|row| row.cells).collect();
        table(&mut out, HEADINGS, &rows)?;
    }
    out.flush()?;
    look.silent.iter().for_each(|silent| report(&anyhow::anyhow!("{silent}"), None, json));
    Ok(if look.silent.is_empty() { Exit::Done } else { Exit::Failed })
}

fn watch(terminal: &mut ratatui::DefaultTerminal, places: &[Place]) -> anyhow::Result<()> {
    let mut screen = Screen::default();
    let (mut now, mut before) = (look(places)?, None);
    loop {
        terminal.draw(|frame| screen.draw(frame, &now, before.as_ref()))?;
        let next = now.at + LOOK_EVERY;
        if !event::poll(next.saturating_duration_since(Instant::now()))? {
            before = Some(std::mem::replace(&mut now, look(places)?));
            continue;
        }
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                // In raw mode it is a key like others.
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                KeyCode::Char('s') => screen.order = screen.order.next(),
                KeyCode::Down => screen.scroll(1),
                KeyCode::Up => screen.scroll(-1),
                KeyCode::PageDown => screen.scroll(20),
                KeyCode::PageUp => screen.scroll(-20),
                _ => {}
            }
        }
    }
}
