//! Attacks a host with hostile guests, on the machine and with the limits of its later use. Reports the result of each attack, and
//! its effect on other tenants. `docs/redteam.md` describes how to read the report, and what it cannot show.
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
//! **[`Ground`]**: one engine and one set of threads, which attackers and victims share. One per run.
//!
//! **[`Case`]**: an attack of `weir-hostile`, or a module of the tester, with the expected result. Its bytes are created when the
//! attack starts.
//!
//! **[`Procedure`]**: a row of the catalogue that needs the host: a separate engine, or a count of what the host holds. One per
//! file, listed in [`PROCEDURES`].
//!
//! **[`HostAttack`]**: an attack on the host's work outside of guests (decoding, files, pipes, stops), run as a process of the
//! `weir` program next to a victim's query, each tenant in a worker ([`HostWay`]). Listed in [`HOST_ATTACKS`]; run if
//! [`Options::program`] is set. [`HostEffect`] says what the victim kept, and which [`HostWall`] answered.
//!
//! **Victim**: a tenant that works without pause during each attack, and checks all of its results. A wrong or missing result fails
//! the row. [`Effect`] is the loss of speed, compared with the time just before and just after.
//!
//! **[`Runaway`]**: how long a guest that never stops runs after its deadline, on an idle machine and under load.
//!
//! **[`Drift`]**: the growth of the process between rounds, when everything is repeated.
//!
//! **[`Report`]**: all results, as a table, as Markdown or as JSON.

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
pub use host::{Expectation, HOST_ATTACKS, HostAttack, HostEffect, HostWall, HostWay, SHARE_MIN, WallMark};
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
