//! The HTTP client of all three signals: a blocking one, for each exporter has a thread of its own.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::fate::Fate;
use super::outlet::Outlet;
use super::own_words::cleaned;

/// More of an answer is not read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The pause before the second attempt, where the receiver asks for no other; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// Speaks HTTP and, by rustls, HTTPS.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
    headers: HeaderMap,
    gzip: bool,
    timeout: Duration,
    fate: Arc<Fate>,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// There was no answer.
    #[error("{0}")]
    NoAnswer(Box<ureq::Error>),
    /// The answer was no.
    #[error("the receiver responded with {0}")]
    Refused(u16),
    /// The request could not be compressed.
    #[error("a request cannot be compressed: {0}")]
    Compression(std::io::Error),
}

impl Client {
    /// With so much time for each request as a whole, its repetitions among them. What a receiver leaves out of a request
    /// that it takes is lost here; the rest is for whoever sends.
    pub(super) fn open(outlet: &Outlet, fate: &Arc<Fate>) -> anyhow::Result<Client> {
        // A status of failure is understood here. A receiver that sends headers with a secret elsewhere is not
        // followed.
        let mut config =
            Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
        if let Some((variable, path)) = &outlet.certificate {
            let roots = roots(path).with_context(|| format!("{variable} is `{path}`"))?;
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let mut headers = outlet.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))));
        if outlet.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let (url, timeout) = (outlet.url.clone(), outlet.timeout);
        let (gzip, fate) = (outlet.gzip, Arc::clone(fate));
        Ok(Client { agent: config.build().into(), url, headers, gzip, timeout, fate })
    }

    /// Sends a body, again where the receiver is busy for a while, until it is taken or the time is over.
    pub(super) fn post(&self, body: Bytes) -> Result<Bytes, NotTaken> {
        let body = if self.gzip { zipped(&body).map_err(NotTaken::Compression)? } else { body };
        let until = Instant::now() + self.timeout;
        let mut pause = PAUSE;
        loop {
            let (status, asked, answer) =
                self.attempt(&body, until).map_err(|error| NotTaken::NoAnswer(Box::new(error)))?;
            if (200..300).contains(&status) {
                self.look_at(&answer);
                return Ok(answer);
            }
            let wait = asked.unwrap_or(pause);
            // The specification names these four: all others would be refused again.
            let busy = matches!(status, 429 | 502 | 503 | 504);
            if !busy || wait >= until.saturating_duration_since(Instant::now()) {
                return Err(NotTaken::Refused(status));
            }
            std::thread::sleep(wait);
            pause = pause.saturating_mul(2);
        }
    }

    /// A request that is taken may be taken in part.
    fn look_at(&self, answer: &Bytes) {
        // The answers of all three signals are one on the wire. One that is none says nothing: the status has said it.
        let Ok(ExportLogsServiceResponse { partial_success: Some(partial) }) = Message::decode(&answer[..]) else {
            return;
        };
        if let Some(refused) = u64::try_from(partial.rejected_log_records).ok().filter(|&refused| refused > 0) {
            let why = cleaned(&partial.error_message);
            self.fate.lose_part(refused, &format!("the receiver accepted only a part: {why}"));
        }
    }

    /// The status, how long the receiver asks to wait, and the rest of the answer.
    fn attempt(&self, body: &Bytes, until: Instant) -> Result<(u16, Option<Duration>, Bytes), ureq::Error> {
        let mut request = self.agent.post(&self.url);
        if let Some(headers) = request.headers_mut() {
            *headers = self.headers.clone();
        }
        // Zero would be no limit.
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut answer = request.config().timeout_global(Some(left)).build().send(&body[..])?;
        let (status, asked) = (answer.status().as_u16(), retry_after(answer.headers()));
        let answer = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((status, asked, Bytes::from(answer)))
    }
}

/// The SDK's exporters make bodies; where they go and how is this client's alone.
#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(Response::new(self.post(request.into_body())?))
    }
}

/// Seconds, as receivers of OTLP say it; a date is as good as nothing said.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn zipped(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    Ok(Bytes::from(encoder.finish()?))
}

/// The certificates of a PEM file, which then are the only ones that are trusted.
fn roots(path: &str) -> anyhow::Result<RootCerts> {
    // The bundle of a whole distribution has a quarter of a megabyte.
    let pem = weir_files::read_whole(path, 16 << 20)?;
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item? {
            roots.push(certificate);
        }
    }
    anyhow::ensure!(!roots.is_empty(), "it contains no certificate");
    Ok(RootCerts::from(roots))
}
