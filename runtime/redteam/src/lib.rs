//! Attacks a host with hostile guests, on the machine and under the limits that it is to run with, and says what became
//! of each attack and what the other tenants noticed. `docs/redteam.md` says how to read it and what it cannot show.
//!
//! ```no_run
//! use weir_redteam::{Case, FIXTURE, Ground, Options, run};
//! use weir_sandbox::{EngineConfig, Limits};
//!
//! let ground = Ground::new(&Limits::default(), &EngineConfig::default())?;
//! let cases: Vec<Case> = FIXTURE.iter().map(Case::from).collect();
//! let report = run(&ground, &cases, &Options::default().quick(), &mut |_| {})?;
//! print!("{}", report.to_text());
//! assert!(report.passes());
//! # Ok::<(), weir_redteam::RedteamError>(())
//! ```
//!
//! # The nouns
//!
//! **[`Ground`]**: one engine and one set of threads, which attackers and those they attack share. One a run.
//!
//! **[`Case`]**: an attack of `weir-hostile`, or a module of the tester's own, with what should become of it. Its bytes
//! are made when they are handed in.
//!
//! **[`Procedure`]**: a row of the catalogue that needs the host's side: an engine of its own, or a count of what the
//! host holds. One a file, listed in [`PROCEDURES`].
//!
//! **[`HostAttack`]**: an attack on what the host does outside guests (decoding, files, pipes, stops), by a process of the `weir`
//! program with a victim's query beside it. Listed in [`HOST_ATTACKS`]; run where [`Options::program`] names the program.
//!
//! **Victim**: a tenant that works back to back beside each attack, and checks every answer that it gets. A wrong or
//! missing one fails the row. [`Effect`] is what it lost, against just before and just after.
//!
//! **[`Runaway`]**: how long a guest that never stops runs beyond its deadline, idle and under load.
//!
//! **[`Drift`]**: what the process takes from round to round, when everything is run again and again.
//!
//! **[`Report`]**: all of it, as a table, as Markdown or as JSON.

mod assault;
mod attempt;
mod case;
mod drift;
mod effect;
mod error;
mod fixture;
mod ground;
mod guest;
mod host;
mod options;
mod procedure;
mod process;
mod report;
mod runaway;
mod stats;
mod suite;
mod upload;
mod victim;

pub use case::{Case, Expected, ExpectedError, Happened};
pub use drift::Drift;
pub use effect::Effect;
pub use error::RedteamError;
pub use fixture::FIXTURE;
pub use ground::Ground;
pub use host::{Expectation, HOST_ATTACKS, HostAttack};
pub use options::Options;
pub use procedure::{Broken, Finding, PROCEDURES, Procedure};
pub use process::ProcessSize;
pub use report::{
    BEYOND_IDLE_MAX, BEYOND_LOADED_MAX, ClassEffect, LOSS_MAX, OTHERS_CORES_MAX, Report, Row, UPLOAD_BYTES_MAX,
    UPLOAD_CPU_MAX,
};
pub use runaway::{RUNAWAY, Runaway};
pub use stats::{Spread, median};
pub use suite::{Progress, run};
pub use upload::UploadCost;
pub use weir_hostile::Class;
