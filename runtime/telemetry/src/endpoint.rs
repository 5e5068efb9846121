//! The HTTP endpoint.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::health::Health;

/// Connections at once; more wait until one of them is done.
const CONNECTIONS_MAX: usize = 32;

/// How long a client may take to send its request's head.
const HEAD_MAX: Duration = Duration::from_secs(5);

/// How long a connection may last in all: it has one request and one answer.
const CONNECTION_MAX: Duration = Duration::from_secs(30);

/// The longest head of a request, in bytes, and the most headers in it.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// The type of the text format, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the pages are made from, anew for each request.
struct Pages {
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    health: Box<dyn Fn() -> Health + Send + Sync>,
}

/// Answers `GET` of `/metrics`, `/livez`, `/readyz` and `/healthz` until it is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    // Dropped, it ends the thread.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// An endpoint that cannot be opened. The fault lies outside: the address is in use, or not this machine's.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: {source}")]
pub struct EndpointError {
    /// The address.
    pub address: SocketAddr,
    /// What went wrong.
    pub source: io::Error,
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Metrics,
    /// The process answers.
    Live,
    /// See [`Health::is_ready`].
    Ready,
    /// See [`Health::is_healthy`].
    Healthy,
    NoSuchPath,
    NoSuchMethod,
}

impl Answer {
    fn to(method: &Method, path: &str) -> Answer {
        let there = match path {
            "/metrics" => Answer::Metrics,
            "/livez" => Answer::Live,
            "/readyz" => Answer::Ready,
            "/healthz" => Answer::Healthy,
            _ => return Answer::NoSuchPath,
        };
        if matches!(*method, Method::GET | Method::HEAD) { there } else { Answer::NoSuchMethod }
    }

    fn response(self, pages: &Pages) -> Response<String> {
        let told = |is_ok: fn(&Health) -> bool| {
            let health = (pages.health)();
            let ok = is_ok(&health);
            (if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, health.text(ok))
        };
        let (status, body) = match self {
            Answer::Metrics => (StatusCode::OK, (pages.metrics)()),
            Answer::Live => (StatusCode::OK, "ok\n".to_owned()),
            Answer::Ready => told(Health::is_ready),
            Answer::Healthy => told(Health::is_healthy),
            Answer::NoSuchPath => {
                (StatusCode::NOT_FOUND, "there are /metrics, /livez, /readyz and /healthz\n".to_owned())
            }
            Answer::NoSuchMethod => (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n".to_owned()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let kind = if self == Answer::Metrics { TEXT } else { "text/plain; charset=utf-8" };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self == Answer::NoSuchMethod {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

impl Endpoint {
    /// Binds the address and answers there; `metrics` makes the text of `/metrics`, and `health` what the other pages say,
    /// anew for each request.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn open(
        address: SocketAddr,
        metrics: impl Fn() -> String + Send + Sync + 'static,
        health: impl Fn() -> Health + Send + Sync + 'static,
    ) -> Result<Endpoint, EndpointError> {
        let failed = |source| EndpointError { address, source };
        let listener = StdListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).map_err(failed)?
        };
        let (stop, stopped) = oneshot::channel();
        let pages = Arc::new(Pages { metrics: Box::new(metrics), health: Box::new(health) });
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, pages) => {}
                    // Nothing is ever sent: the other end is dropped.
                    _dropped = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Endpoint { address: bound, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it answers; with the port that it got, where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It answers nobody: had it panicked, there would be nothing to be done about it here.
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, pages: Arc<Pages>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed, so that there is always one to come.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let pages = Arc::clone(&pages);
                tokio::spawn(async move {
                    if tokio::time::timeout(CONNECTION_MAX, serve(stream, &pages)).await.is_err() {
                        tracing::debug!("a client of the metrics endpoint took too long");
                    }
                    drop(place);
                });
            }
            // Out of descriptors, for example: asking again at once would be a loop that takes a core.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(stream: TcpStream, pages: &Pages) {
    let answer = service_fn(|request: Request<_>| {
        let _body: &hyper::body::Incoming = request.body();
        let response = Answer::to(request.method(), request.uri().path()).response(pages);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // A client that keeps silent holds no place for the next one.
        .keep_alive(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!("a client of the metrics endpoint: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use expect_test::expect;

    use super::*;

    fn open() -> Endpoint {
        Endpoint::open(([127, 0, 0, 1], 0).into(), || "a 1\n".to_owned(), Health::default).expect("a free port")
    }

    /// What comes back for this, until the endpoint closes the connection.
    fn say(endpoint: &Endpoint, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(endpoint.address()).expect("a connection");
        // It may have heard enough before the end.
        drop(stream.write_all(request));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn status(answer: &str) -> &str {
        answer.split(' ').nth(1).unwrap_or_default()
    }

    #[test]
    fn metrics_and_health_are_answered_and_nothing_else() {
        let endpoint = open();
        let answer = say(&endpoint, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
        let steady: Vec<_> = answer.lines().filter(|line| !line.starts_with("date:")).collect();
        expect![[r#"
            HTTP/1.1 200 OK
            content-type: text/plain; version=0.0.4; charset=utf-8
            connection: close
            content-length: 4

            a 1"#]]
        .assert_eq(&steady.join("\n"));
        assert!(say(&endpoint, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").ends_with("\r\n\r\nok\n"));
        let ready = say(&endpoint, b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!(status(&ready) == "503" && ready.ends_with("\r\n\r\nnot ok\n"), "{ready}");
        assert!(say(&endpoint, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").ends_with("\r\n\r\nok\n"));
        let head = say(&endpoint, b"HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!(head.contains("content-length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        for (request, expected) in [("GET /", "404"), ("GET /metrics/x", "404"), ("POST /metrics", "405")] {
            let answer = say(&endpoint, format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
            assert_eq!(status(&answer), expected, "{request}");
            assert_eq!(answer.contains("allow: GET, HEAD\r\n"), expected == "405", "{answer}");
        }
        assert_eq!(status(&say(&endpoint, b"GET /metrics?x=1 HTTP/1.1\r\nhost: x\r\n\r\n")), "200");
    }

    #[test]
    fn garbage_and_long_heads_are_refused() {
        let endpoint = open();
        assert_eq!(status(&say(&endpoint, b"\0\xff garbage\r\n\r\n")), "400");
        let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(status(&say(&endpoint, long.as_bytes())), "431");
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(status(&say(&endpoint, many.as_bytes())), "431");
        assert_eq!(status(&say(&endpoint, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")), "200");
    }

    #[test]
    fn silent_clients_keep_others_waiting_for_a_moment_only() {
        let endpoint = open();
        let silent: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| {
                let mut stream = TcpStream::connect(endpoint.address()).expect("a connection");
                stream.write_all(b"GET /me").expect("half a request");
                stream
            })
            .collect();
        let started = Instant::now();
        assert_eq!(status(&say(&endpoint, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")), "200");
        assert!(started.elapsed() > HEAD_MAX / 2, "it did not wait: is there more room than is said?");
        assert!(started.elapsed() < HEAD_MAX * 4, "{:?}", started.elapsed());
        drop(silent);
    }

    #[test]
    fn an_address_in_use_is_said_and_a_dropped_endpoint_leaves_its_own() {
        let endpoint = open();
        let address = endpoint.address();
        let error = Endpoint::open(address, String::new, Health::default).expect_err("the address is in use");
        assert!(error.to_string().starts_with(&format!("cannot serve metrics at {address}: ")), "{error}");
        drop(endpoint);
        Endpoint::open(address, String::new, Health::default).expect("the address is free again");
    }
}
