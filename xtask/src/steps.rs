//! A list of steps that all run, even if earlier ones fail, so that one run reports every mistake.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The result of a step that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The step was done.
    Done,
    /// The machine lacks something for the step. In CI this is a failure, because the check was not made.
    Skipped(String),
    /// Something that the step needs cannot be reached, and the step is optional in this case.
    Unreachable(String),
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    time: Duration,
    verdict: &'static str,
    good: bool,
}

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Steps {
    /// Whether a skipped step is a failure.
    strict: bool,
    done: Vec<Step>,
}

impl Steps {
    /// Strict where the environment says `CI=true`.
    pub(crate) fn from_environment() -> Self {
        Self::new(std::env::var("CI").is_ok_and(|value| value == "true"))
    }

    fn new(strict: bool) -> Self {
        Self { strict, done: Vec::new() }
    }

    /// Runs a step. Prints its name before, and its duration afterwards.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        self.step_or_skip(name, || work().map(|()| Outcome::Done));
    }

    /// The same for a step that a machine may be unable to run.
    pub(crate) fn step_or_skip(&mut self, name: &'static str, work: impl FnOnce() -> Result<Outcome>) {
        println!("\n==== {name}");
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        let (verdict, good) = match result {
            Ok(Outcome::Done) => ("ok", true),
            Ok(Outcome::Skipped(reason)) => {
                println!("skipped: {reason}");
                ("SKIPPED", !self.strict)
            }
            Ok(Outcome::Unreachable(reason)) => {
                println!("not reached: {reason}");
                ("not reached", true)
            }
            Err(error) => {
                println!("error: {error:#}");
                ("FAILED", false)
            }
        };
        println!("---- {name}: {verdict} in {:.1} s", time.as_secs_f64());
        self.done.push(Step { name, time, verdict, good });
    }

    /// Prints a table of all steps. Fails if one of them failed, or was skipped although steps must run.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n==== summary");
        for step in &self.done {
            println!("{:<11} {:>7.1} s  {}", step.verdict, step.time.as_secs_f64(), step.name);
        }
        let failed: Vec<&str> = self.done.iter().filter(|step| !step.good).map(|step| step.name).collect();
        if !failed.is_empty() {
            bail!("{} of {} steps failed: {}", failed.len(), self.done.len(), failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_run_and_one_failure_fails_them() {
        let mut steps = Steps::new(false);
        let mut later_ran = false;
        steps.step("first", || bail!("no"));
        steps.step("second", || {
            later_ran = true;
            Ok(())
        });
        assert!(later_ran);
        assert_eq!(steps.finish().unwrap_err().to_string(), "1 of 2 steps failed: first");
    }

    #[test]
    fn a_skipped_step_is_no_success_where_steps_must_run() {
        for (strict, fails) in [(false, false), (true, true)] {
            let mut steps = Steps::new(strict);
            steps.step("first", || Ok(()));
            steps.step_or_skip("second", || Ok(Outcome::Skipped("no such tool".to_owned())));
            assert_eq!(steps.done[1].verdict, "SKIPPED");
            assert_eq!(steps.finish().is_err(), fails);
        }
    }

    #[test]
    fn what_is_out_of_reach_is_reported_and_fails_nothing() {
        let mut steps = Steps::new(true);
        steps.step_or_skip("advisories", || Ok(Outcome::Unreachable("no database".to_owned())));
        assert_eq!(steps.done[0].verdict, "not reached");
        assert!(steps.finish().is_ok());
    }
}
