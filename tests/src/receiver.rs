//! A receiver of OTLP over HTTP, which keeps what it is sent: the oracle of what is exported.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a request was answered with.
const TAKEN: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A receiver. Its thread ends with the test's process.
#[derive(Debug)]
pub struct Receiver {
    /// Where it is, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What it was sent once, and has answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// The first line and the headers, as they came.
    pub head: String,
    /// What the body holds.
    pub export: Export,
    /// The status that it was answered with.
    pub status: u16,
}

/// The body of a request, by its path.
#[derive(Clone, Debug)]
pub enum Export {
    /// `/v1/traces`.
    Traces(ExportTraceServiceRequest),
    /// `/v1/metrics`.
    Metrics(ExportMetricsServiceRequest),
    /// `/v1/logs`.
    Logs(ExportLogsServiceRequest),
}

impl Receiver {
    /// Takes everything.
    ///
    /// # Panics
    ///
    /// If there is no port, and, on its own thread, over a request that is none: then nothing is answered any more.
    pub fn start() -> Receiver {
        Receiver::answering(|_| TAKEN.to_owned())
    }

    /// Answers each request, by the path that it is for, with this text.
    ///
    /// # Panics
    ///
    /// As [`Receiver::start`].
    pub fn answering(answer: impl FnMut(&str) -> String + Send + 'static) -> Receiver {
        Receiver::listen("http", answer, |stream| Box::new(stream))
    }

    /// Takes everything, by HTTPS and as `localhost`, with this certificate and key in PEM.
    ///
    /// # Panics
    ///
    /// As [`Receiver::start`]; and if these are none.
    pub fn start_tls(certificate: &str, key: &str) -> Receiver {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth().with_single_cert(vec![certificate], key);
        let config = Arc::new(config.expect("a certificate with its key"));
        Receiver::listen(
            "https",
            |_| TAKEN.to_owned(),
            move |stream| {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                Box::new(StreamOwned::new(connection, stream))
            },
        )
    }

    fn listen(
        scheme: &str,
        mut answer: impl FnMut(&str) -> String + Send + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = wrap(stream.expect("a connection"));
                // One who does not trust the certificate goes away.
                let Some((head, body)) = read(&mut *stream) else { continue };
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let answered = answer(&path);
                let status = answered.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
                // Before it is answered, so that whoever has the answer finds it.
                lock(&into).push(Request { export: Export::decode(&path, &body), head, status });
                drop(stream.write_all(answered.as_bytes()).and_then(|()| stream.flush()));
            }
        });
        let host = if scheme == "https" { "localhost" } else { "127.0.0.1" };
        Receiver { address: format!("{scheme}://{host}:{port}"), requests }
    }

    /// What came, in its order.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    /// The spans that came.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests();
        let traces = requests.iter().filter_map(|request| match &request.export {
            Export::Traces(traces) => Some(traces),
            _ => None,
        });
        let scopes = traces.flat_map(|traces| &traces.resource_spans).flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).cloned().collect()
    }

    /// The metrics of each request that had any.
    pub fn metrics(&self) -> Vec<Vec<Metric>> {
        let requests = self.requests();
        let metrics = requests.into_iter().filter_map(|request| match request.export {
            Export::Metrics(metrics) => Some(metrics),
            _ => None,
        });
        metrics
            .map(|metrics| {
                let scopes = metrics.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
                scopes.flat_map(|scope| scope.metrics).collect()
            })
            .collect()
    }

    /// The log records that were taken, each with the name of its scope.
    pub fn logs(&self) -> Vec<(String, LogRecord)> {
        let requests = self.requests().into_iter().filter(|request| request.status == 200);
        let logs = requests.filter_map(|request| match request.export {
            Export::Logs(logs) => Some(logs),
            _ => None,
        });
        let scopes = logs.flat_map(|logs| logs.resource_logs).flat_map(|resource| resource.scope_logs);
        scopes
            .flat_map(|scope| {
                let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
                scope.log_records.into_iter().map(move |record| (name.clone(), record))
            })
            .collect()
    }
}

impl Request {
    /// Who sent it.
    pub fn resource(&self) -> Option<&Resource> {
        match &self.export {
            Export::Traces(traces) => traces.resource_spans.first()?.resource.as_ref(),
            Export::Metrics(metrics) => metrics.resource_metrics.first()?.resource.as_ref(),
            Export::Logs(logs) => logs.resource_logs.first()?.resource.as_ref(),
        }
    }
}

impl Export {
    fn decode(path: &str, body: &[u8]) -> Export {
        match path {
            "/v1/traces" => Export::Traces(Message::decode(body).expect("an export of traces")),
            "/v1/metrics" => Export::Metrics(Message::decode(body).expect("an export of metrics")),
            "/v1/logs" => Export::Logs(Message::decode(body).expect("an export of logs")),
            other => panic!("nothing goes to {other}"),
        }
    }
}

/// The text of an attribute, where there is one of this name that is a text.
pub fn text_of<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    match value_of(attributes, name)? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// The number of an attribute, where there is one of this name that is a whole number.
pub fn number_of(attributes: &[KeyValue], name: &str) -> Option<i64> {
    match value_of(attributes, name)? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

/// The text of a value that is one: of a body.
pub fn said(value: Option<&AnyValue>) -> &str {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

fn value_of<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A request's head, and its body unpacked; `None` if none came.
fn read(stream: &mut dyn Stream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length, mut packed) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        }
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        packed |= lower == "content-encoding: gzip";
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if packed {
        let mut unpacked = Vec::new();
        GzDecoder::new(&*body).read_to_end(&mut unpacked).expect("a packed body");
        body = unpacked;
    }
    Some((head, body))
}

fn lock(requests: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}
