//! Parses methods and paths of requests.

use std::fmt;

use hyper::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use weir_text::percent_decoded;

use crate::problem::{Code, RequestProblem};

/// A request. Its `Display` is the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/metrics`: the text format of Prometheus.
    Metrics,
    /// `/livez`: whether the process responds.
    Live,
    /// `/readyz`: see [`weir_telemetry::Health::is_ready`].
    Ready,
    /// `/healthz`: see [`weir_telemetry::Health::is_healthy`].
    Healthy,
    /// `/v1/queries`: the queries of all tenants.
    Queries,
    /// `/v1/tenants/{tenant}/queries`: the queries of one tenant.
    TenantQueries(String),
    /// `/v1/tenants/{tenant}/queries/{query}`.
    Query(QueryName),
    /// `/v1/tenants/{tenant}/queries/{query}/{pause,resume,stop}`, by `POST`.
    Steer(QueryName, Wish),
}

/// A query, by its tenant and name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryName {
    /// The tenant.
    pub tenant: String,
    /// The query.
    pub query: String,
}

impl QueryName {
    /// The query of this name of this tenant.
    pub fn new(tenant: impl Into<String>, query: impl Into<String>) -> QueryName {
        QueryName { tenant: tenant.into(), query: query.into() }
    }
}

/// A request that changes the state of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read no more records, and finish those that were read.
    Pause,
    /// Continue.
    Resume,
    /// Read no more records, finish and end.
    Stop,
}

/// Characters that are not encoded in names.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl Route {
    /// Parses a method and path.
    ///
    /// # Errors
    ///
    /// The path is unknown, its names are not percent-encoded UTF-8, or it does not support the method.
    pub(crate) fn of(method: &Method, uri: &Uri) -> Result<Route, RequestProblem> {
        let route = Route::at(uri.path())?;
        let fits = match &route {
            Route::Steer(..) => *method == Method::POST,
            _ => matches!(*method, Method::GET | Method::HEAD),
        };
        if !fits {
            let message = format!("{} is not supported at this path", said(method.as_str()));
            return Err(RequestProblem::new(Code::MethodNotAllowed, message, format!("use {}", route.methods())));
        }
        // Scrapers may send parameters; below `/v1/` they are refused, because they could be meant to change the response.
        if uri.query().is_some() && uri.path().starts_with("/v1/") {
            let remedy = "remove everything after the `?`; pass settings of a POST in its body";
            return Err(RequestProblem::new(Code::Malformed, "this path takes no parameters", remedy));
        }
        Ok(route)
    }

    fn at(path: &str) -> Result<Route, RequestProblem> {
        let mut parts = path.split('/').skip(1);
        let parts: [Option<&str>; 7] = std::array::from_fn(|_| parts.next());
        Ok(match parts {
            [Some("metrics"), None, ..] => Route::Metrics,
            [Some("livez"), None, ..] => Route::Live,
            [Some("readyz"), None, ..] => Route::Ready,
            [Some("healthz"), None, ..] => Route::Healthy,
            [Some("v1"), Some("queries"), None, ..] => Route::Queries,
            [Some("v1"), Some("tenants"), Some(tenant), Some("queries"), None, ..] => {
                Route::TenantQueries(decoded(tenant)?)
            }
            [Some("v1"), Some("tenants"), Some(tenant), Some("queries"), Some(query), None, ..] => {
                Route::Query(QueryName { tenant: decoded(tenant)?, query: decoded(query)? })
            }
            [Some("v1"), Some("tenants"), Some(tenant), Some("queries"), Some(query), Some(wish), None] => {
                let wish = Wish::ALL.into_iter().find(|known| known.name() == wish).ok_or_else(unknown)?;
                Route::Steer(QueryName { tenant: decoded(tenant)?, query: decoded(query)? }, wish)
            }
            _ => return Err(unknown()),
        })
    }

    /// The methods that this route supports.
    pub(crate) fn methods(&self) -> &'static str {
        if matches!(self, Route::Steer(..)) { "POST" } else { "GET, HEAD" }
    }

    /// The methods that a path supports; `None` if the path does not exist.
    pub(crate) fn methods_at(path: &str) -> Option<&'static str> {
        Route::at(path).ok().map(|route| route.methods())
    }

    /// Whether the response contains more than metrics and health.
    pub(crate) fn is_v1(&self) -> bool {
        !matches!(self, Route::Metrics | Route::Live | Route::Ready | Route::Healthy)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Metrics => f.write_str("/metrics"),
            Route::Live => f.write_str("/livez"),
            Route::Ready => f.write_str("/readyz"),
            Route::Healthy => f.write_str("/healthz"),
            Route::Queries => f.write_str("/v1/queries"),
            Route::TenantQueries(tenant) => write!(f, "/v1/tenants/{}/queries", utf8_percent_encode(tenant, IN_NAME)),
            Route::Query(name) => name.fmt(f),
            Route::Steer(name, wish) => write!(f, "{name}/{}", wish.name()),
        }
    }
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tenant, query] = [&self.tenant, &self.query].map(|name| utf8_percent_encode(name, IN_NAME));
        write!(f, "/v1/tenants/{tenant}/queries/{query}")
    }
}

impl Wish {
    const ALL: [Wish; 3] = [Wish::Pause, Wish::Resume, Wish::Stop];

    /// The name in paths.
    pub fn name(self) -> &'static str {
        match self {
            Wish::Pause => "pause",
            Wish::Resume => "resume",
            Wish::Stop => "stop",
        }
    }
}

/// Decodes a name in a path.
fn decoded(name: &str) -> Result<String, RequestProblem> {
    let decoded = percent_decoded(name).and_then(|bytes| String::from_utf8(bytes.into_owned()).ok());
    let remedy = "write each byte other than letters, digits, `-`, `_` and `.` as `%` and two hexadecimal digits";
    decoded
        .ok_or_else(|| RequestProblem::new(Code::Malformed, "a name in the path is not percent-encoded UTF-8", remedy))
}

fn unknown() -> RequestProblem {
    let remedy = "use /metrics, /livez, /readyz, /healthz, /v1/queries, /v1/tenants/{tenant}/queries, \
                  /v1/tenants/{tenant}/queries/{query}, or POST to …/{query}/pause, resume or stop";
    RequestProblem::new(Code::UnknownPath, "unknown path", remedy)
}

/// A method can be any token: only its beginning is shown.
fn said(method: &str) -> String {
    method.chars().take(20).collect()
}
