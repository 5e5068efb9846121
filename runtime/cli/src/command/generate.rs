//! `weir generate`: what a package contains beside the program.

use std::io::Write;

use anyhow::anyhow;
use clap::CommandFactory;

use crate::args::{Args, Generate};
use crate::exit::{Exit, wrong};

pub(crate) fn generate(generate: &Generate) -> anyhow::Result<Exit> {
    let mut command = Args::command();
    match generate {
        Generate::Completions { shell } => {
            // In memory first: the generator panics where it cannot write, as to a pipe that was closed.
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut command, "weir", &mut text);
            std::io::stdout().lock().write_all(&text)?;
        }
        Generate::Man { folder } => clap_mangen::generate_to(command, folder)
            .map_err(|error| wrong(anyhow!("{}: {error}", folder.display())))?,
    }
    Ok(Exit::Done)
}
