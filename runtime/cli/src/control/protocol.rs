//! What is said on the socket: a line of JSON a request, and one an answer.
//!
//! ```text
//! {"weir":1,"ask":"status"}
//! {"weir":1,"ok":{"queries":[…]}}
//! {"weir":1,"ask":"pause","query":"late","tenant":"demo","wait_ms":30000}
//! {"weir":1,"error":{"code":"unknown_query","message":"…"}}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The version of the protocol. Answers may get more fields in one version; requests and their meaning may not change.
pub(crate) const VERSION: u64 = 1;

/// The longest request, in bytes.
pub(crate) const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The longest answer, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest that a request may ask to wait.
pub(crate) const WAIT_MS_MAX: u64 = 600_000;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// What every query of the process does.
    Status,
    /// To read no more, and to wait until what was taken in is settled.
    Pause(Order),
    /// To go on.
    Resume(Order),
    /// To take in no more, finish and end, and to wait for the end.
    Stop(Order),
}

/// Which query is meant, and how long to wait until it has done as it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) query: String,
    pub(crate) tenant: String,
    #[serde(default)]
    pub(crate) wait_ms: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// The line is no request.
    Malformed,
    /// The line is too long.
    RequestTooLong,
    /// The answer would be too long.
    AnswerTooLong,
    /// It is of another version of the protocol.
    Version,
    /// The process runs no such query.
    UnknownQuery,
    /// The query has ended, or is about to.
    Ending,
    /// Too many talk to this process already.
    Busy,
    /// A code of a newer version.
    #[serde(other)]
    Other,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Problem {
        Problem { code, message: message.into() }
    }
}

impl Ask {
    /// The request's line.
    pub(crate) fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_value(self)?;
        if let Value::Object(fields) = &mut line {
            fields.insert("weir".to_owned(), VERSION.into());
        }
        serde_json::to_vec(&line)
    }

    /// Reads a request's line. Its version counts first: what another version means by the rest is not known here.
    pub(crate) fn from_line(line: &[u8]) -> Result<Ask, Problem> {
        let malformed = |error: serde_json::Error| Problem::new(Code::Malformed, format!("no request: {error}"));
        let mut request: Value = serde_json::from_slice(line).map_err(malformed)?;
        let version = request.as_object_mut().and_then(|fields| fields.remove("weir"));
        match version {
            Some(version) if version == VERSION => {}
            Some(_) => {
                let message = format!("this process speaks version {VERSION} of the protocol");
                return Err(Problem::new(Code::Version, message));
            }
            None => return Err(Problem::new(Code::Malformed, "no request: an object with `weir` and `ask` is one")),
        }
        let ask: Ask = serde_json::from_value(request).map_err(malformed)?;
        match &ask {
            Ask::Pause(order) | Ask::Resume(order) | Ask::Stop(order) if order.wait_ms > WAIT_MS_MAX => {
                Err(Problem::new(Code::Malformed, format!("wait_ms is {}, and at most {WAIT_MS_MAX}", order.wait_ms)))
            }
            _ => Ok(ask),
        }
    }
}

/// The answer's line. One that would be too long becomes a problem.
pub(crate) fn answer_line(answer: &Result<Value, Problem>) -> Vec<u8> {
    let line = |answer: &Result<Value, Problem>| match answer {
        Ok(answer) => json!({ "weir": VERSION, "ok": answer }).to_string().into_bytes(),
        Err(problem) => json!({ "weir": VERSION, "error": problem }).to_string().into_bytes(),
    };
    let full = line(answer);
    if full.len() <= ANSWER_BYTES_MAX {
        return full;
    }
    line(&Err(Problem::new(Code::AnswerTooLong, format!("{} bytes, and at most {ANSWER_BYTES_MAX}", full.len()))))
}

/// Reads an answer's line.
pub(crate) fn read_answer(line: &[u8]) -> Result<Result<Value, Problem>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Body {
        Ok(Value),
        Error(Problem),
    }
    #[derive(Deserialize)]
    struct Answer {
        #[serde(flatten)]
        body: Body,
    }
    Ok(match serde_json::from_slice::<Answer>(line)?.body {
        Body::Ok(answer) => Ok(answer),
        Body::Error(problem) => Err(problem),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(line: &str, expected: Expect) {
        let said = match Ask::from_line(line.as_bytes()) {
            Ok(ask) => String::from_utf8(ask.to_line().expect("a line")).expect("UTF-8"),
            Err(problem) => String::from_utf8(answer_line(&Err(problem))).expect("UTF-8"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn requests_are_read_and_everything_else_has_a_code() {
        check(r#"{"weir":1,"ask":"status"}"#, expect![[r#"{"ask":"status","weir":1}"#]]);
        check(
            r#"{"weir":1,"ask":"stop","query":"q","tenant":"t","wait_ms":5}"#,
            expect![[r#"{"ask":"stop","query":"q","tenant":"t","wait_ms":5,"weir":1}"#]],
        );
        for line in ["", "{", "[]", "7", r#"{"ask":"status"}"#, r#"{"weir":1}"#, r#"{"weir":1,"ask":"fly"}"#] {
            assert_eq!(Ask::from_line(line.as_bytes()).map_err(|problem| problem.code), Err(Code::Malformed), "{line}");
        }
        for value in ["[", r#"{"a":"#] {
            let line = format!(r#"{{"weir":1,"ask":{}"#, value.repeat(100_000));
            assert_eq!(Ask::from_line(line.as_bytes()).map_err(|problem| problem.code), Err(Code::Malformed));
            assert!(read_answer(line.replacen("ask", "ok", 1).as_bytes()).is_err());
        }
        for rest in
            [r#""query":"q""#, r#""query":"q","tenant":"t","wait_ms":600001"#, r#""query":"q","tenant":"t","x":1"#]
        {
            let line = format!(r#"{{"weir":1,"ask":"stop",{rest}}}"#);
            assert_eq!(Ask::from_line(line.as_bytes()).map_err(|problem| problem.code), Err(Code::Malformed), "{line}");
        }
        check(
            r#"{"weir":2,"ask":"fly"}"#,
            expect![[
                r#"{"error":{"code":"version","message":"this process speaks version 1 of the protocol"},"weir":1}"#
            ]],
        );
    }

    #[test]
    fn an_answer_that_is_too_long_is_a_problem_and_not_cut() {
        let line = answer_line(&Ok("x".repeat(ANSWER_BYTES_MAX).into()));
        let problem = read_answer(&line).expect("an answer").expect_err("a problem");
        assert_eq!(problem.code, Code::AnswerTooLong);
        assert_eq!(
            read_answer(&answer_line(&Ok(json!({ "queries": [] })))).expect("one"),
            Ok(json!({ "queries": [] }))
        );
    }
}
