//! `weir dead-letters`: what a query could not do.

mod letters;
mod list;
mod replay;
mod show;
mod text;

use crate::args::dead_letters as args;
use crate::exit::Exit;

pub(crate) fn dead_letters(args: &args::DeadLetters, json: bool) -> anyhow::Result<Exit> {
    match &args.command {
        args::Command::List(list) => list::list(list, json),
        args::Command::Show(show) => show::show(show, json),
        args::Command::Replay(replay) => replay::replay(replay, json),
    }
}
