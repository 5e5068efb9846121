//! The queries of one `weir run`: each starts, runs and ends by itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::task::{Id, JoinSet};
use tracing::Instrument;
use weir_admin::{Board, QueryOutcome};
use weir_plan::Plan;
use weir_query::{BuildError, Ending, Query, RunError, Starting, Summary};
use weir_sandbox::Engine;

use super::summary::tell;
use crate::exit::{Exit, report, say, wrong};
use crate::live::{Screen, Watch};
use crate::name::Name;

/// Why a query could not start.
#[derive(Debug)]
pub(super) struct NotReady(String);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotReady {}

fn name_of(plan: &Plan) -> Name {
    Name { query: plan.name.clone(), tenant: plan.tenant.to_string() }
}

/// The queries for which there are instances, in the order given, and the others with the reason. Stages keep their instances:
/// queries that need more than there are would wait for each other for good.
pub(super) fn within_instances(
    plans: impl Iterator<Item = Plan>,
    engine: &Engine,
) -> (Vec<Plan>, Vec<(Name, NotReady)>) {
    let most = usize::try_from(engine.instances_max()).unwrap_or(usize::MAX);
    let (mut right, mut refused, mut taken) = (Vec::new(), Vec::new(), 0_usize);
    for plan in plans {
        let needed = plan.instances_max();
        let left = most.saturating_sub(taken);
        if needed > left {
            let message = format!(
                "it needs {needed} instances at once, but only {left} of the {most} that this machine can hold are left: run it in another process, or with fewer queries"
            );
            refused.push((name_of(&plan), NotReady(message)));
        } else {
            taken += needed;
            right.push(plan);
        }
    }
    (right, refused)
}

/// The queries of one `weir run`.
pub(super) struct Run<'a> {
    screen: &'a Screen,
    board: &'a Board,
    several: bool,
    quiet: bool,
    json: bool,
    // Queries that could be made ready.
    began: usize,
    failed: bool,
    // One was ended by force.
    forced: bool,
}

/// What became of a query's task.
enum Event {
    Built(Box<Result<Query, BuildError>>),
    Ran(Box<Result<Summary, RunError>>),
}

impl<'a> Run<'a> {
    pub(super) fn new(screen: &'a Screen, board: &'a Board, several: bool, quiet: bool, json: bool) -> Run<'a> {
        Run { screen, board, several, quiet, json, began: 0, failed: false, forced: false }
    }

    /// Says that a query is not run, and why.
    pub(super) fn refuse(&mut self, error: anyhow::Error, name: Option<&Name>) {
        self.screen.suspend(|| report(&error, name, self.json));
        self.failed = true;
        self.forced |= Exit::of(&error) == Exit::Forced;
    }

    /// One more query could be made ready.
    pub(super) fn begin(&mut self) {
        self.began += 1;
    }

    /// The name that messages about a query begin with: none where there is only one query.
    pub(super) fn shown(&self, name: Option<Name>) -> Option<Name> {
        name.filter(|_| self.several)
    }

    pub(super) fn exit(&self) -> Exit {
        match (self.failed, self.began) {
            // That something was given up is the worst.
            _ if self.forced => Exit::Forced,
            (false, _) => Exit::Done,
            (true, 0) => Exit::Wrong,
            (true, _) => Exit::Failed,
        }
    }

    /// Makes each query ready and runs it, in tasks of its own, and says how each ended. One that cannot start, or fails,
    /// neither keeps the others from starting nor ends them.
    pub(super) async fn all(&mut self, queries: Vec<Starting>, engine: &Engine) {
        let mut tasks: JoinSet<Event> = JoinSet::new();
        let mut watched: HashMap<Id, (Name, Option<Watch>)> = HashMap::new();
        for query in queries {
            let (name, engine) = (name_of(query.plan()), engine.clone());
            let span = self.span(&name);
            let task = tasks.spawn(async move { Event::Built(Box::new(query.build(&engine).await)) }.instrument(span));
            watched.insert(task.id(), (name, None));
        }
        while let Some(ended) = tasks.join_next_with_id().await {
            let id = match &ended {
                Ok((id, _)) => *id,
                Err(error) => error.id(),
            };
            let Some((name, watch)) = watched.remove(&id) else { continue };
            drop(watch);
            let shown = self.several.then_some(&name);
            match ended {
                Ok((_, Event::Built(built))) => match *built {
                    Ok(query) => {
                        self.began += 1;
                        let watch = self.screen.watch(Arc::new(query.handle()), shown.cloned());
                        let span = self.span(&name);
                        let task = tasks.spawn(async move { Event::Ran(Box::new(query.run().await)) }.instrument(span));
                        watched.insert(task.id(), (name, Some(watch)));
                    }
                    Err(BuildError::Stopped) => {
                        self.began += 1;
                        if !self.quiet && !self.json {
                            say(format_args!("{name}: {}", BuildError::Stopped));
                        }
                        self.over(&name, Ending::Stopped, None);
                    }
                    Err(error) => {
                        let said = error.to_string();
                        self.refuse(wrong(error), shown);
                        self.over(&name, Ending::Failed, Some(said));
                    }
                },
                Ok((_, Event::Ran(ran))) => {
                    let (summary, failure) = match *ran {
                        Ok(summary) => (summary, None),
                        Err(error) => ((*error.summary).clone(), Some(error)),
                    };
                    self.screen.suspend(|| tell(&summary, shown, self.quiet, self.json));
                    let said = failure.as_ref().map(ToString::to_string);
                    if let Some(error) = failure {
                        self.refuse(error.into(), shown);
                    }
                    self.over(&name, summary.ending, said);
                }
                // A bug of this program: it ends one query, and is reported.
                Err(error) => {
                    let error = anyhow::anyhow!("the query's task ended without a summary: {error}");
                    let said = error.to_string();
                    self.refuse(error, shown);
                    self.over(&name, Ending::Failed, Some(said));
                }
            }
        }
    }

    /// Writes down how a query ended.
    pub(super) fn over(&self, name: &Name, ending: Ending, failure: Option<String>) {
        self.board.ended(&name.query, &name.tenant, QueryOutcome::new(ending.to_string(), failure));
    }

    /// What is logged on the way says whose it is, whatever is logged: hence the level.
    fn span(&self, name: &Name) -> tracing::Span {
        match self.several {
            true => tracing::error_span!("query", query = %name.query, tenant = %name.tenant),
            false => tracing::Span::none(),
        }
    }
}
