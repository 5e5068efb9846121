//! One request at a socket, and its answer.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use weir_admin::{ANSWER_BYTES_MAX, RefusalBody};

use super::ask_error::AskError;

/// A request.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: String,
}

/// Asks, and waits for the whole answer, for this long at most.
pub(super) fn exchange(stream: StdUnixStream, ask: Ask, within: Duration) -> Result<Value, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(within, answer(stream, ask)).await });
    let (status, body) = answer.map_err(|_elapsed| AskError::Silent)??;
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    match serde_json::from_slice::<RefusalBody>(&body) {
        Ok(refusal) => Err(refusal.error.into()),
        Err(_) => Err(AskError::Status(status)),
    }
}

async fn answer(stream: StdUnixStream, ask: Ask) -> Result<(StatusCode, Bytes), AskError> {
    stream.set_nonblocking(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(UnixStream::from_std(stream)?)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::builder().method(ask.method).uri(ask.path).header(HOST, "weir");
    let request = request.body(Full::new(Bytes::from(ask.body))).map_err(|error| AskError::Body(error.into()))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX + 1).collect().await;
    connection.abort();
    match body {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(AskError::TooLong),
        Err(error) => Err(AskError::Body(error)),
    }
}
