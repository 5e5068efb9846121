//! Creates responses to requests.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use weir_telemetry::{Health, exposition};

use crate::board::Board;
use crate::guard::Via;
use crate::problem::{Code, RefusalBody, RequestProblem};
use crate::route::{QueryName, Route, Wish};
use crate::{ANSWER_BYTES_MAX, CLIENTS_MAX, REQUEST_BYTES_MAX, WAIT_MS_MAX};

/// The maximum time for sending a body.
const BODY_MAX: Duration = Duration::from_secs(10);

/// The content type of the Prometheus text format, version 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The body of a `POST`. An empty body means the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// How long to wait until the query has done what was requested.
    #[serde(default)]
    wait_ms: u64,
}

type Answer = Response<Full<Bytes>>;

/// Responds to a request. Calls `extend` with the extra time that the response may take.
pub(crate) async fn answer<B>(board: &Arc<Board>, via: Via, request: Request<B>, extend: impl Fn(Duration)) -> Answer
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = request.uri().path().to_owned();
    let is_head = *request.method() == Method::HEAD;
    let answered = match admitted(via, &request) {
        Ok(Route::Steer(name, wish)) => steer(board, &name, wish, request, extend).await,
        Ok(route) => read(board, route).await,
        Err(problem) => Err(problem),
    };
    let mut response = answered.unwrap_or_else(|problem| refusal(&problem, &path));
    // The values are current only now, and browsers must not interpret the response as a page.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    tracing::debug!(status = response.status().as_u16(), is_head, "answered a request of the admin interface");
    response
}

fn admitted<B>(via: Via, request: &Request<B>) -> Result<Route, RequestProblem> {
    if via == Via::UnixBusy {
        let message = format!("this process already serves {CLIENTS_MAX} clients");
        return Err(RequestProblem::new(Code::Busy, message, "try again later"));
    }
    let route = Route::of(request.method(), request.uri())?;
    via.admits(&route, request)?;
    Ok(route)
}

/// Responds to a read request on a blocking thread, so that other requests are served meanwhile.
async fn read(board: &Arc<Board>, route: Route) -> Result<Answer, RequestProblem> {
    let board = Arc::clone(board);
    let read = tokio::task::spawn_blocking(move || {
        let health = |is_ok: fn(&Health) -> bool| {
            let health = Health::of(board.handles());
            let ok = is_ok(&health);
            let mut text = health.text(ok);
            for wall in board.walls_given_up() {
                text.push_str(&format!("the operator gave up the wall {wall}\n"));
            }
            (if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
        };
        let (status, text) = match &route {
            Route::Metrics => {
                return Ok(page(StatusCode::OK, PROMETHEUS, exposition(board.handles(), board.workers().as_ref())));
            }
            Route::Live => (StatusCode::OK, "ok\n".to_owned()),
            Route::Ready => health(Health::is_ready),
            Route::Healthy => health(Health::is_healthy),
            Route::Queries => return json(&board.reports(None)),
            Route::TenantQueries(tenant) => return json(&board.reports(Some(tenant))),
            Route::Query(name) | Route::Steer(name, _) => return json(&board.report(name)?),
        };
        Ok(page(status, TEXT, text))
    });
    let broken = |error| RequestProblem::new(Code::Internal, format!("could not create the response: {error}"), "");
    read.await.map_err(broken)?
}

async fn steer<B>(
    board: &Board,
    name: &QueryName,
    wish: Wish,
    request: Request<B>,
    extend: impl Fn(Duration),
) -> Result<Answer, RequestProblem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wait = order(request.into_body()).await?;
    extend(wait);
    json(&board.steer(name, wish, wait).await?)
}

/// Reads the body of a `POST` and returns how long to wait.
async fn order<B>(body: B) -> Result<Duration, RequestProblem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_long = || {
        let message = format!("the body is too large: the maximum is {REQUEST_BYTES_MAX} bytes");
        RequestProblem::new(Code::RequestTooLong, message, "")
    };
    if body.size_hint().lower() > REQUEST_BYTES_MAX as u64 {
        return Err(too_long());
    }
    let read = tokio::time::timeout(BODY_MAX, Limited::new(body, REQUEST_BYTES_MAX).collect()).await;
    let malformed = |why: String| RequestProblem::new(Code::Malformed, why, r#"send nothing, or {"wait_ms": 30000}"#);
    let bytes = match read {
        Ok(Ok(read)) => read.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(too_long()),
        Ok(Err(error)) => return Err(malformed(format!("cannot read the body: {error}"))),
        Err(_elapsed) => {
            let message = format!("the body did not arrive within {} s", BODY_MAX.as_secs());
            return Err(RequestProblem::new(Code::RequestTooSlow, message, ""));
        }
    };
    let order: Order = match bytes.trim_ascii() {
        [] => Order::default(),
        // Serde would also accept a list for an object.
        text @ [b'{', ..] => {
            serde_json::from_slice(text).map_err(|error| malformed(format!("invalid body: {error}")))?
        }
        _ => return Err(malformed("the body is not a JSON object".to_owned())),
    };
    if order.wait_ms > WAIT_MS_MAX {
        return Err(malformed(format!("wait_ms is {}: the maximum is {WAIT_MS_MAX}", order.wait_ms)));
    }
    Ok(Duration::from_millis(order.wait_ms))
}

fn json(body: &impl Serialize) -> Result<Answer, RequestProblem> {
    let internal = |error| RequestProblem::new(Code::Internal, format!("could not write the response: {error}"), "");
    let mut text = serde_json::to_vec(body).map_err(internal)?;
    if text.len() > ANSWER_BYTES_MAX {
        let message = format!("the response has {} bytes: the maximum is {ANSWER_BYTES_MAX}", text.len());
        return Err(RequestProblem::new(Code::AnswerTooLong, message, "request a single query by its tenant and name"));
    }
    text.push(b'\n');
    Ok(page(StatusCode::OK, JSON, text))
}

fn refusal(problem: &RequestProblem, path: &str) -> Answer {
    let refusal = RefusalBody { error: problem.clone() };
    // The value consists of strings, so serialising cannot fail.
    let mut text = serde_json::to_vec(&refusal).unwrap_or_default();
    text.push(b'\n');
    let mut response = page(problem.code.status(), JSON, text);
    let (name, value): (HeaderName, HeaderValue) = match problem.code {
        Code::MethodNotAllowed => {
            (ALLOW, HeaderValue::from_static(Route::methods_at(path).unwrap_or("GET, HEAD, POST")))
        }
        Code::Busy => (RETRY_AFTER, HeaderValue::from_static("1")),
        _ => return response,
    };
    response.headers_mut().insert(name, value);
    response
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value whose JSON is a string of this many bytes with its quotes.
    fn said_of(bytes: usize) -> Result<(StatusCode, usize), String> {
        let answer = json(&"x".repeat(bytes - 2));
        let size = |answer: Answer| answer.body().size_hint().exact().map_or(0, |bytes| bytes as usize);
        answer.map(|answer| (answer.status(), size(answer))).map_err(|problem| problem.to_string())
    }

    #[test]
    fn an_answer_has_at_most_16_mib() {
        assert_eq!(said_of(ANSWER_BYTES_MAX), Ok((StatusCode::OK, ANSWER_BYTES_MAX + 1)));
        let Err(said) = said_of(ANSWER_BYTES_MAX + 1) else { panic!("it is too long") };
        expect_test::expect![
            "the response has 16777217 bytes: the maximum is 16777216; request a single query by its tenant and name"
        ]
        .assert_eq(&said);

        let problem = json(&"x".repeat(ANSWER_BYTES_MAX)).expect_err("it is too long");
        let refused = refusal(&problem, "/v1/queries");
        assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(refused.body().size_hint().exact().is_some_and(|bytes| bytes < 1000));
    }

    #[tokio::test]
    async fn a_body_says_how_long_to_wait() {
        let mut all = String::new();
        for body in [
            "",
            " \n",
            "{}",
            r#"{"wait_ms": 5}"#,
            r#" {"wait_ms": 0} "#,
            "null",
            "[5]",
            "5",
            r#""x""#,
            "{",
            "}",
            r#"{"wait_ms": null}"#,
            r#"{"wait_ms": -1}"#,
            r#"{"wait_ms": 1e9}"#,
            r#"{"wait_ms": 18446744073709551615}"#,
            r#"{"wait": 1}"#,
            r#"{"wait_ms": 1, "wait_ms": 2}"#,
            r#"{"wait_ms": 1} {}"#,
        ] {
            let said = match order(Full::new(Bytes::from(body))).await {
                Ok(wait) => format!("{} ms", wait.as_millis()),
                Err(problem) => problem.message,
            };
            all.push_str(&format!("{body:?}: {said}\n"));
        }
        expect_test::expect![[r#"
            "": 0 ms
            " \n": 0 ms
            "{}": 0 ms
            "{\"wait_ms\": 5}": 5 ms
            " {\"wait_ms\": 0} ": 0 ms
            "null": the body is not a JSON object
            "[5]": the body is not a JSON object
            "5": the body is not a JSON object
            "\"x\"": the body is not a JSON object
            "{": invalid body: EOF while parsing an object at line 1 column 1
            "}": the body is not a JSON object
            "{\"wait_ms\": null}": invalid body: invalid type: null, expected u64 at line 1 column 16
            "{\"wait_ms\": -1}": invalid body: invalid value: integer `-1`, expected u64 at line 1 column 14
            "{\"wait_ms\": 1e9}": invalid body: invalid type: floating point `1000000000.0`, expected u64 at line 1 column 15
            "{\"wait_ms\": 18446744073709551615}": wait_ms is 18446744073709551615: the maximum is 600000
            "{\"wait\": 1}": invalid body: unknown field `wait`, expected `wait_ms` at line 1 column 7
            "{\"wait_ms\": 1, \"wait_ms\": 2}": invalid body: duplicate field `wait_ms` at line 1 column 24
            "{\"wait_ms\": 1} {}": invalid body: trailing characters at line 1 column 16
        "#]].assert_eq(&all);
    }
}
