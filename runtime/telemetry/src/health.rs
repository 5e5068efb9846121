//! The health of a process and its queries, for `/livez`, `/readyz` and `/healthz`.

use weir_query::{QueryState, RunningQuery};

/// The states of a process' queries at one moment. The only texts of tenants in it are names, which consist of letters, digits,
/// `-`, `_` and `.`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    // Names and states.
    queries: Vec<(String, QueryState)>,
}

impl Health {
    /// The health of these queries.
    pub fn of<'a, Q: RunningQuery + ?Sized + 'a>(queries: impl IntoIterator<Item = &'a Q>) -> Health {
        let state = |query: &Q| (format!("{}/{}", query.tenant(), query.query()), query.state());
        Health { queries: queries.into_iter().map(state).collect() }
    }

    /// Whether the process does its work: all queries have started, and at least one reads, works or waits. A failed query does not
    /// make the process unready.
    pub fn is_ready(&self) -> bool {
        let at_work =
            |state: &QueryState| matches!(state, QueryState::Running | QueryState::Paused | QueryState::Retrying);
        !self.queries.iter().any(|(_, state)| *state == QueryState::Starting)
            && self.queries.iter().any(|(_, state)| at_work(state))
    }

    /// Whether no query has failed.
    pub fn is_healthy(&self) -> bool {
        !self.queries.iter().any(|(_, state)| *state == QueryState::Failed)
    }

    /// `ok`, or `not ok` and one line per query: `acme/late failed`.
    pub fn text(&self, ok: bool) -> String {
        if ok {
            return "ok\n".to_owned();
        }
        let mut text = "not ok\n".to_owned();
        for (name, state) in &self.queries {
            text.push_str(&format!("{name} {}\n", state.name()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(states: &[QueryState]) -> Health {
        Health { queries: states.iter().map(|&state| (format!("acme/{}", state.name()), state)).collect() }
    }

    #[test]
    fn a_process_is_ready_when_all_have_started_and_one_is_at_work() {
        use QueryState::{Draining, Ended, Failed, Paused, Retrying, Running, Starting};
        let check = |states: &[QueryState], ready: bool, healthy: bool| {
            let health = health(states);
            assert_eq!((health.is_ready(), health.is_healthy()), (ready, healthy), "{states:?}");
        };
        check(&[], false, true);
        check(&[Starting, Running], false, true);
        check(&[Running], true, true);
        check(&[Paused], true, true);
        check(&[Retrying, Ended], true, true);
        check(&[Failed, Running], true, false);
        check(&[Failed], false, false);
        check(&[Draining], false, true);
        check(&[Ended], false, true);
    }

    #[test]
    fn the_text_has_a_line_a_query() {
        assert_eq!(health(&[QueryState::Running, QueryState::Failed]).text(true), "ok\n");
        assert_eq!(
            health(&[QueryState::Running, QueryState::Failed]).text(false),
            "not ok\nacme/running running\nacme/failed failed\n"
        );
    }
}
