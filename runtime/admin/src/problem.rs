//! Reasons for refusing requests.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use weir_query::Fault;

/// Why a request was refused, and what to do. The body of every refusal is `{"error": …}` with this value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}{}{remedy}", if remedy.is_empty() { "" } else { "; " })]
#[non_exhaustive]
pub struct RequestProblem {
    /// The kind, for programs.
    pub code: Code,
    /// What is wrong, for people.
    pub message: String,
    /// What to do; empty if nothing can be done.
    #[serde(default)]
    pub remedy: String,
}

impl RequestProblem {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self.code {
            Code::AnswerTooLong | Code::Internal => Fault::Internal,
            Code::Busy | Code::RequestTooSlow => Fault::External,
            Code::Malformed
            | Code::ReadOnly
            | Code::ForeignRequest
            | Code::UnknownPath
            | Code::UnknownQuery
            | Code::MethodNotAllowed
            | Code::Ending
            | Code::RequestTooLong
            | Code::Version
            | Code::Other => Fault::Tenant,
        }
    }

    /// Whether the same request may succeed later: if the process was busy, or the client slow.
    pub fn retryable(&self) -> bool {
        matches!(self.code, Code::Busy | Code::RequestTooSlow)
    }
}

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// A name, the body or a parameter of the request is invalid. 400.
    Malformed,
    /// The address allows only reads. 403.
    ReadOnly,
    /// The request has a foreign host, or comes from a web page. 403.
    ForeignRequest,
    /// The path does not exist. 404.
    UnknownPath,
    /// The process runs no such query. 404.
    UnknownQuery,
    /// The path does not support the method. 405.
    MethodNotAllowed,
    /// The body did not arrive in time. 408.
    RequestTooSlow,
    /// The query has ended, or is ending. 409.
    Ending,
    /// The body is too large. 413.
    RequestTooLong,
    /// The response would be too large. 500.
    AnswerTooLong,
    /// The process could not create the response, because of a bug. 500.
    Internal,
    /// Too many clients are connected. 503.
    Busy,
    /// The client speaks another protocol version.
    Version,
    /// A code of a newer version.
    #[serde(other)]
    Other,
}

/// The body of a refusal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefusalBody {
    /// The problem.
    pub error: RequestProblem,
}

impl RequestProblem {
    /// A problem with its remedy.
    pub fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> RequestProblem {
        RequestProblem { code, message: message.into(), remedy: remedy.into() }
    }
}

impl Code {
    /// The HTTP status of a response with this code.
    pub fn status(self) -> StatusCode {
        match self {
            Code::Malformed | Code::Version => StatusCode::BAD_REQUEST,
            Code::ReadOnly | Code::ForeignRequest => StatusCode::FORBIDDEN,
            Code::UnknownPath | Code::UnknownQuery => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::RequestTooSlow => StatusCode::REQUEST_TIMEOUT,
            Code::Ending => StatusCode::CONFLICT,
            Code::RequestTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Code::AnswerTooLong | Code::Internal | Code::Other => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
