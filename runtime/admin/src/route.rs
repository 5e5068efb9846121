//! What a request asks for.

use std::fmt;

use hyper::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use weir_text::percent_decoded;

use crate::problem::{Code, RequestProblem};

/// What can be asked for. Its `Display` is the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/metrics`: the text format of Prometheus.
    Metrics,
    /// `/livez`: the process answers.
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
pub struct QueryName {
    /// The tenant.
    pub tenant: String,
    /// The query.
    pub query: String,
}

/// What a query can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To read no more, and to settle what was taken in.
    Pause,
    /// To go on.
    Resume,
    /// To take in no more, finish and end.
    Stop,
}

/// What a name in a path need not be encoded for.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl Route {
    /// Reads method and path.
    ///
    /// # Errors
    ///
    /// The path is unknown, its names are not percent-encoded UTF-8, or the method is another one.
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
        // Scrapers may be told to send parameters along; where something could depend on them they are refused.
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

    /// The methods that it is answered for.
    pub(crate) fn methods(&self) -> &'static str {
        if matches!(self, Route::Steer(..)) { "POST" } else { "GET, HEAD" }
    }

    /// The methods that a path is answered for, where there is such a path.
    pub(crate) fn methods_at(path: &str) -> Option<&'static str> {
        Route::at(path).ok().map(|route| route.methods())
    }

    /// Whether it tells more than figures and health.
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

    /// As paths have it.
    pub fn name(self) -> &'static str {
        match self {
            Wish::Pause => "pause",
            Wish::Resume => "resume",
            Wish::Stop => "stop",
        }
    }
}

/// A name of a path.
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

/// A method is any token: the beginning will do.
fn said(method: &str) -> String {
    method.chars().take(20).collect()
}
