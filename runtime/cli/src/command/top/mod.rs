//! `weir top`.

mod endpoint;
mod fit;
mod model;
mod rows;
mod screen;

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::endpoint::Endpoint;
use self::model::Look;
use self::rows::{HEADINGS, Order, Row, rows};
use self::screen::Screen;
use crate::args::control::Top;
use crate::control::{everyone, table};
use crate::exit::{Exit, report, wrong};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look waits for its turn to be drawn, at most.
const KEYS_WITHIN: Duration = Duration::from_millis(100);

pub(crate) fn top(args: &Top, json: bool) -> anyhow::Result<Exit> {
    let endpoints =
        args.endpoints.iter().map(|url| Endpoint::parse(url).map_err(wrong)).collect::<Result<Vec<_>, _>>()?;
    if args.once {
        return once(&look(&endpoints)?, json);
    }
    if json || !std::io::stdout().is_terminal() {
        return Err(wrong(anyhow::anyhow!("standard output is not a terminal: use `--once`, or `weir status`")));
    }
    let mut terminal = ratatui::init();
    let done = watch(&mut terminal, &endpoints);
    ratatui::restore();
    done.map(|()| Exit::Done)
}

/// Looks at all of them.
fn look(endpoints: &[Endpoint]) -> anyhow::Result<Look> {
    let mut look = Look::new(Instant::now());
    if endpoints.is_empty() {
        let everyone = everyone()?;
        everyone.queries.iter().for_each(|found| look.add(&format!("pid {}", found.pid), &found.seen));
        everyone.workers.iter().for_each(|(pid, workers)| look.add_workers(&format!("pid {pid}"), workers));
        look.silent.extend(everyone.silent.iter().map(|(pid, error)| format!("process {pid}: {error}")));
    }
    for endpoint in endpoints {
        match endpoint.queries() {
            Ok((queries, workers)) => {
                queries.iter().for_each(|seen| look.add(endpoint.name(), seen));
                workers.iter().for_each(|workers| look.add_workers(endpoint.name(), workers));
            }
            Err(error) => look.silent.push(format!("{}: {error}", endpoint.name())),
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
        for worker in &look.workers {
            writeln!(out, "{}", serde_json::to_string(worker)?)?;
        }
    } else if look.queries.is_empty() && look.silent.is_empty() {
        writeln!(out, "no query is running")?;
    } else {
        let rows: Vec<_> = rows(look, None, Order::Name).into_iter().map(Row::with_place).collect();
        table(&mut out, HEADINGS, &rows)?;
    }
    out.flush()?;
    look.silent.iter().for_each(|silent| report(&anyhow::anyhow!("{silent}"), None, json));
    Ok(if look.silent.is_empty() { Exit::Done } else { Exit::Failed })
}

fn watch(terminal: &mut ratatui::DefaultTerminal, endpoints: &[Endpoint]) -> anyhow::Result<()> {
    let looks = looker(endpoints.to_vec())?;
    let mut screen = Screen::default();
    let (mut now, mut before) = (Look::new(Instant::now()), None);
    now.silent.push("no answer yet".to_owned());
    let mut first = true;
    loop {
        terminal.draw(|frame| screen.draw(frame, &now, before.as_ref()))?;
        // Until there is something new to draw.
        loop {
            match looks.try_recv() {
                Ok(look) => {
                    let past = std::mem::replace(&mut now, look?);
                    before = (!std::mem::take(&mut first)).then_some(past);
                    break;
                }
                // Its last word was an error, which was returned.
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {}
            }
            if event::poll(KEYS_WITHIN)? {
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
                        KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                        // In raw mode it is a key like others.
                        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                        KeyCode::Char('s') => screen.order = screen.order.next(),
                        KeyCode::Down => screen.scroll(1),
                        KeyCode::Up => screen.scroll(-1),
                        KeyCode::PageDown => screen.scroll(20),
                        KeyCode::PageUp => screen.scroll(-20),
                        _ => {}
                    },
                    _ => {}
                }
                break;
            }
        }
    }
}

/// Looks once a second on a thread of its own: an endpoint that hangs keeps nobody from leaving. The thread ends after an
/// error, or when nobody listens any more.
fn looker(endpoints: Vec<Endpoint>) -> std::io::Result<Receiver<anyhow::Result<Look>>> {
    let (tell, looks) = sync_channel(1);
    let watch = move || loop {
        let started = Instant::now();
        let look = look(&endpoints);
        let failed = look.is_err();
        if tell.send(look).is_err() || failed {
            return;
        }
        std::thread::sleep(LOOK_EVERY.saturating_sub(started.elapsed()));
    };
    std::thread::Builder::new().name("looks".to_owned()).spawn(watch)?;
    Ok(looks)
}
