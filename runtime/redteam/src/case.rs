//! What is run: an attack of the suite, or a module of the tester's own.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use weir_hostile::{Attack, Class, Expect, Target};

use crate::attempt::{Attempt, End};

/// Codes with which a host says that it failed itself: never what an attack should lead to.
const HOST_FAILED: [&str; 4] = ["host_panic", "engine", "wrong_module", "schema"];

/// An attack of the suite, or a module of the tester's own.
#[derive(Clone, Debug)]
pub struct Case {
    /// The row of the catalogue; none for a module of the tester's own.
    pub row: Option<u8>,
    /// The name.
    pub name: String,
    /// What it does.
    pub title: String,
    /// What it is aimed at.
    pub class: Class,
    /// What should become of it.
    pub expected: Expected,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Made(fn(&Target) -> Vec<u8>),
    Given(Arc<Vec<u8>>),
}

/// What should become of an attack. An empty list of codes stands for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The upload is refused with one of these codes.
    Refused(Vec<String>),
    /// It is admitted, and one of its calls is ended with one of these codes.
    Ended(Vec<String>),
    /// It is admitted, and answers every batch.
    Answered,
    /// Any of these: only the host must not fail, and others must not notice.
    Contained,
}

impl From<&Attack> for Case {
    fn from(attack: &Attack) -> Case {
        let codes = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect();
        Case {
            row: Some(attack.row),
            name: attack.name.to_owned(),
            title: attack.title.to_owned(),
            class: attack.class,
            expected: match attack.expect {
                Expect::Refused(list) => Expected::Refused(codes(list)),
                Expect::Ended(list) => Expected::Ended(codes(list)),
                Expect::Answered => Expected::Answered,
            },
            source: Source::Made(attack.bytes),
        }
    }
}

impl Case {
    /// A module of the tester's own.
    pub fn given(name: &str, bytes: Vec<u8>, expected: Expected) -> Case {
        Case {
            row: None,
            name: name.to_owned(),
            title: "a module that was given".to_owned(),
            class: Class::Upload,
            expected,
            source: Source::Given(Arc::new(bytes)),
        }
    }

    /// The bytes that are handed in.
    pub(crate) fn bytes(&self, target: &Target) -> Arc<Vec<u8>> {
        match &self.source {
            Source::Made(make) => Arc::new(make(target)),
            Source::Given(bytes) => Arc::clone(bytes),
        }
    }
}

/// What became of an attack, in a code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// `refused`, `ended`, `answered`, `broken` or `never_ended`.
    pub how: &'static str,
    /// The code, where there is one.
    pub code: Option<&'static str>,
    /// The typed error's text.
    pub text: String,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.how)?;
        if let Some(code) = self.code {
            write!(f, " {code}")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

/// An attempt, judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) happened: Happened,
    /// The call that ended, where one did.
    pub(crate) end: Option<End>,
    /// Why it fails the row; `None` where it is as expected.
    pub(crate) wrong: Option<String>,
}

impl Expected {
    /// Compares what became of an attempt with this.
    pub(crate) fn judge(&self, attempt: &Attempt) -> Judged {
        let holds = |codes: &[String], code: &str| codes.is_empty() || codes.iter().any(|known| known == code);
        match attempt {
            Attempt::Broken { text } => Judged {
                happened: Happened { how: "broken", code: None, text: text.clone() },
                end: None,
                wrong: Some("the runner could not go on".to_owned()),
            },
            Attempt::Refused { code, text } => {
                let wrong = match self {
                    Expected::Contained => None,
                    Expected::Refused(codes) if holds(codes, code) => None,
                    _ => Some(format!("expected {self}")),
                };
                Judged {
                    happened: Happened { how: "refused", code: Some(code), text: text.clone() },
                    end: None,
                    wrong: wrong.or_else(|| host_failed(code)),
                }
            }
            Attempt::Called { ends } => {
                // Of several ends the one that tells most: a failure of the host, then what was expected.
                let failed = ends.iter().find(|end| HOST_FAILED.contains(&end.code));
                let meant = match self {
                    Expected::Ended(codes) => ends.iter().find(|end| holds(codes, end.code)),
                    _ => None,
                };
                let shown = failed.or(meant).or(ends.first());
                let wrong = match (self, meant, ends.is_empty()) {
                    (Expected::Contained, ..) | (Expected::Answered, _, true) | (_, Some(_), _) => None,
                    _ => Some(format!("expected {self}")),
                };
                let happened = match shown {
                    Some(end) => Happened { how: "ended", code: Some(end.code), text: end.text.clone() },
                    None => Happened { how: "answered", code: None, text: String::new() },
                };
                let wrong = failed.and_then(|end| host_failed(end.code)).or(wrong);
                Judged { happened, end: shown.cloned(), wrong }
            }
        }
    }
}

fn host_failed(code: &str) -> Option<String> {
    HOST_FAILED.contains(&code).then(|| format!("the host failed by itself: {code}"))
}

/// `refused: a, b`.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (how, codes): (&str, &[String]) = match self {
            Expected::Refused(codes) => ("refused", codes),
            Expected::Ended(codes) => ("ended", codes),
            Expected::Answered => ("answered", &[]),
            Expected::Contained => ("contained", &[]),
        };
        f.write_str(how)?;
        if codes.is_empty() { Ok(()) } else { write!(f, ": {}", codes.join(", ")) }
    }
}

/// An expectation that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid expectation `{0}`: use refused, ended, answered or contained, optionally with codes after a colon, such as ended:deadline"
)]
pub struct ExpectedError(String);

impl FromStr for Expected {
    type Err = ExpectedError;

    fn from_str(text: &str) -> Result<Expected, ExpectedError> {
        let (how, codes) = text.split_once(':').unwrap_or((text, ""));
        let codes: Vec<String> =
            codes.split(',').map(str::trim).filter(|code| !code.is_empty()).map(ToOwned::to_owned).collect();
        match how.trim() {
            "refused" => Ok(Expected::Refused(codes)),
            "ended" => Ok(Expected::Ended(codes)),
            "answered" if codes.is_empty() => Ok(Expected::Answered),
            "contained" if codes.is_empty() => Ok(Expected::Contained),
            _ => Err(ExpectedError(weir_text::escape_to(text, 80))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn end(code: &'static str) -> End {
        End { code, text: String::new(), after: Duration::ZERO, beyond: None }
    }

    #[test]
    fn what_happened_is_held_against_what_was_expected() {
        let refused = || Attempt::Refused { code: "no_memory", text: String::new() };
        let called = |codes: &[&'static str]| Attempt::Called { ends: codes.iter().copied().map(end).collect() };
        let check = |expected: &str, attempt: Attempt, passes: bool| {
            let judged = expected.parse::<Expected>().unwrap().judge(&attempt);
            assert_eq!(judged.wrong.is_none(), passes, "{expected}: {attempt:?}: {judged:?}");
        };
        check("refused:no_memory,invalid_wasm", refused(), true);
        check("refused:invalid_wasm", refused(), false);
        check("refused", refused(), true);
        check("refused", called(&[]), false);
        check("ended:deadline", refused(), false);
        check("ended:deadline", called(&["deadline", "deadline", "deadline"]), true);
        check("ended:deadline", called(&["deadline"]), true);
        check("ended:deadline", called(&["unreachable"]), false);
        check("ended:deadline", called(&[]), false);
        check("answered", called(&[]), true);
        check("answered", called(&["failed"]), false);
        check("answered", refused(), false);
        check("contained", refused(), true);
        check("contained", called(&["unreachable"]), true);
        // Whatever was expected.
        for failed in HOST_FAILED {
            check(&format!("ended:{failed}"), called(&[failed]), false);
            check("ended:deadline", called(&["deadline", failed]), false);
            check("contained", called(&[failed]), false);
        }
        check("contained", Attempt::Broken { text: String::new() }, false);
    }

    #[test]
    fn expectations_are_read_as_they_are_shown() {
        for text in ["refused", "refused: a, b", "ended: deadline", "answered", "contained"] {
            assert_eq!(text.parse::<Expected>().unwrap().to_string(), text);
        }
        for text in ["", "deadline", "answered: a", "ended;deadline"] {
            assert!(text.parse::<Expected>().is_err(), "{text}");
        }
    }
}
