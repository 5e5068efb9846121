//! What is run, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use weir_hostile::Class;

use crate::{Case, HOST_ATTACKS, HostAttack, HostWay, PROCEDURES, Procedure, RUNAWAY, RedteamError};

/// What is run, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long each attack is repeated beside the victim, at least once.
    pub window: Duration,
    /// How often every window is measured.
    pub rounds: usize,
    /// How often the guest that never stops is measured.
    pub runaway_samples: usize,
    /// Instead of measuring windows, run everything again and again for this long, and watch what the process takes.
    pub loop_for: Option<Duration>,
    /// Rows or names; all where it is empty.
    pub only: Vec<String>,
    /// Classes; all where it is empty.
    pub classes: Vec<Class>,
    /// The `weir` program that attacks on the host are run against; without it none of them is.
    pub program: Option<PathBuf>,
    /// How the queries of attacks on the host are run.
    pub host_way: HostWay,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            window: Duration::from_millis(200),
            rounds: 1,
            runaway_samples: 200,
            loop_for: None,
            only: Vec::new(),
            classes: Vec::new(),
            program: None,
            host_way: HostWay::Workers,
        }
    }
}

/// What was chosen.
pub(crate) struct Chosen {
    pub(crate) cases: Vec<Case>,
    pub(crate) procedures: Vec<&'static Procedure>,
    pub(crate) runaway: bool,
    pub(crate) host: Vec<&'static HostAttack>,
}

impl Options {
    /// Short windows and few samples: whether everything holds, not how much it costs.
    pub fn quick(mut self) -> Options {
        self.window = Duration::from_millis(60);
        self.runaway_samples = 20;
        self
    }

    /// Whether the figures can be compared with targets: whole classes, in windows of the usual length.
    pub(crate) fn measures(&self) -> bool {
        self.loop_for.is_none() && self.only.is_empty() && self.window >= Options::default().window
    }

    /// What these options choose.
    pub(crate) fn choose(&self, cases: &[Case]) -> Result<Chosen, RedteamError> {
        let known = |wanted: &String| {
            let procedure = |procedure: &Procedure| matches(wanted, Some(procedure.row), procedure.name);
            wanted == RUNAWAY
                || cases.iter().any(|case| matches(wanted, case.row, &case.name))
                || PROCEDURES.iter().any(procedure)
                || HOST_ATTACKS.iter().any(|attack| is_of(wanted, attack))
        };
        if let Some(unknown) = self.only.iter().find(|wanted| !known(wanted)) {
            return Err(RedteamError::Unknown(weir_text::escape_to(unknown, 80)));
        }
        let wants = |row: Option<u8>, name: &str, class: Class| {
            let named = self.only.is_empty() || self.only.iter().any(|wanted| matches(wanted, row, name));
            named && (self.classes.is_empty() || self.classes.contains(&class))
        };
        let of_host = |attack: &HostAttack| {
            let named = self.only.is_empty() || self.only.iter().any(|wanted| is_of(wanted, attack));
            named && (self.classes.is_empty() || self.classes.contains(&Class::Host))
        };
        let runs_host = self.program.is_some() && self.loop_for.is_none();
        let chosen = Chosen {
            cases: cases.iter().filter(|case| wants(case.row, &case.name, case.class)).cloned().collect(),
            procedures: PROCEDURES.iter().filter(|this| wants(Some(this.row), this.name, this.class)).collect(),
            runaway: self.loop_for.is_none() && wants(None, RUNAWAY, Class::Cpu),
            host: HOST_ATTACKS.iter().filter(|attack| runs_host && of_host(attack)).collect(),
        };
        let nothing = chosen.cases.is_empty() && chosen.procedures.is_empty() && chosen.host.is_empty();
        if nothing && !chosen.runaway {
            return Err(RedteamError::NothingChosen);
        }
        Ok(chosen)
    }
}

fn matches(wanted: &str, row: Option<u8>, name: &str) -> bool {
    wanted == name || row.is_some_and(|row| wanted == row.to_string())
}

fn is_of(wanted: &str, attack: &HostAttack) -> bool {
    wanted == attack.name || wanted == attack.row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::FIXTURE;

    fn check(only: &[&str], classes: &[Class], expect: &str) {
        let cases: Vec<Case> = FIXTURE.iter().map(Case::from).collect();
        let only = only.iter().map(ToString::to_string).collect();
        let chosen = match (Options { only, classes: classes.to_vec(), ..Options::default() }).choose(&cases) {
            Ok(chosen) => chosen,
            Err(error) => return assert_eq!(error.to_string(), expect),
        };
        let mut names: Vec<&str> = chosen.cases.iter().map(|case| case.name.as_str()).collect();
        names.extend(chosen.procedures.iter().map(|procedure| procedure.name));
        names.extend(chosen.runaway.then_some(RUNAWAY));
        assert_eq!(names.join(" "), expect);
    }

    #[test]
    fn rows_and_names_and_classes_choose() {
        check(&["1"], &[], "endless_loop");
        check(&["endless_loop", "64"], &[], "endless_loop leftovers");
        check(&["runaway"], &[], "runaway");
        check(&[], &[Class::Memory], "memory_grow_bomb");
        check(&["1", "6"], &[Class::Memory], "memory_grow_bomb");
        check(&["1"], &[Class::Memory], "nothing to run: no row matches both the class and the name");
        check(
            &["no_such"],
            &[],
            "unknown attack, procedure or measurement `no_such`: use a row of the catalogue, or a name in the report",
        );
    }
}
