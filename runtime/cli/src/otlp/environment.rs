//! The variables that OpenTelemetry gives names to, and what can be asked for by them.

use std::cell::RefCell;

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// As paths and messages have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// What is sent one by one, and lost.
    pub(super) fn things(self) -> &'static str {
        match self {
            Signal::Traces => "spans",
            Signal::Metrics => "exports of metrics",
            Signal::Logs => "log records",
        }
    }
}

/// Variables, and what is wrong with them: the default stands in for each, as the specification has it.
pub(super) struct Environment<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<String>>,
}

impl<'a> Environment<'a> {
    pub(super) fn of(get: &'a dyn Fn(&str) -> Option<String>) -> Environment<'a> {
        Environment { read: get, problems: RefCell::default() }
    }

    /// Each once: a variable of all signals is read by all of them.
    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.borrow().clone()
    }

    /// A variable that is empty says nothing.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.read)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn problem(&self, problem: String) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// A variable of this signal, or else of all signals, with its name.
    pub(super) fn of_signal(&self, signal: Signal, what: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name().to_uppercase());
        let names = [own, format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    pub(super) fn number(&self, said: Option<(String, String)>) -> Option<u64> {
        let (name, value) = said?;
        let number = value.trim().parse::<u64>().ok().filter(|&number| number > 0);
        if number.is_none() {
            self.problem(format!(
                "unsupported value `{value}` for {name} (expected a number above 0); using the default"
            ));
        }
        number
    }

    pub(super) fn named_number(&self, name: &str) -> Option<u64> {
        self.number(self.get(name).map(|value| (name.to_owned(), value)))
    }

    /// Whether this signal is asked for.
    pub(super) fn asks_for(&self, signal: Signal) -> bool {
        if self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return false;
        }
        let variable = format!("OTEL_{}_EXPORTER", signal.name().to_uppercase());
        match self.get(&variable).as_deref() {
            None => self.of_signal(signal, "ENDPOINT").is_some(),
            Some("otlp") => true,
            Some("none") => false,
            Some(other) => {
                let name = signal.name();
                self.problem(format!(
                    "unsupported value `{other}` for {variable} (expected `otlp` or `none`); {name} are not exported"
                ));
                false
            }
        }
    }
}
