//! Support for clients of the protocol before HTTP, which sent and received a line of JSON.

use std::io::{self, Cursor};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::problem::{Code, RequestProblem};

/// The response to an older client, in a form that it can read: it prints the message.
fn line() -> String {
    let message =
        "this process runs a newer version of weir, whose socket uses HTTP: use the `weir` command of that version";
    let problem = RequestProblem::new(Code::Version, message, "");
    format!("{}\n", serde_json::json!({ "weir": 1, "error": { "code": problem.code, "message": problem.message } }))
}

/// The maximum size of an older client's request, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The connection of a client that speaks HTTP. A client of the older protocol, whose request begins with a brace, gets its
/// response here, and is disconnected. `within` limits the time for the first byte, and for all communication with an older client.
pub(crate) async fn http(
    mut stream: UnixStream,
    within: Duration,
) -> io::Result<Option<impl AsyncRead + AsyncWrite + Unpin + Send>> {
    let mut first = [0];
    match timeout(within, stream.read(&mut first)).await {
        Ok(Ok(0)) | Err(_) => return Ok(None),
        Ok(read) => drop(read?),
    }
    if first == *b"{" {
        let answered = timeout(within, tell(stream)).await;
        return answered.unwrap_or(Ok(())).map(|()| None);
    }
    let (reads, writes) = stream.into_split();
    Ok(Some(tokio::io::join(Cursor::new(first).chain(reads), writes)))
}

async fn tell(mut stream: UnixStream) -> io::Result<()> {
    let (reads, mut writes) = stream.split();
    let mut said = tokio::io::BufReader::new(reads.take(LINE_BYTES_MAX));
    tokio::io::AsyncBufReadExt::read_until(&mut said, b'\n', &mut Vec::new()).await?;
    writes.write_all(line().as_bytes()).await
}
