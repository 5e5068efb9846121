//! Where a signal goes, with what headers, and how.

use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Key;
use opentelemetry_sdk::Resource;
use weir_text::percent_decoded;

use super::environment::{Environment, Signal};

/// The specification's defaults.
const ENDPOINT: &str = "http://localhost:4318";
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a signal goes, and how.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    /// A file of certificates, and the variable that names it.
    pub(super) certificate: Option<(String, String)>,
    pub(super) resource: Resource,
}

impl Outlet {
    /// `None` where the signal is not asked for, or cannot go where it is asked to.
    pub(super) fn read(environment: &Environment<'_>, signal: Signal) -> Option<Outlet> {
        if !environment.asks_for(signal) {
            return None;
        }
        let of = |what: &str| environment.of_signal(signal, what);
        if let Some((name, other)) = of("PROTOCOL").filter(|(_, protocol)| protocol != "http/protobuf") {
            environment.problem(format!(
                "unsupported value `{other}` for {name} (expected `http/protobuf`); using `http/protobuf`"
            ));
        }
        for what in ["CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            if let Some((name, _)) = of(what) {
                environment.problem(format!("{name} is not supported; no client certificate is sent"));
            }
        }
        let gzip = match of("COMPRESSION") {
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) if value != "none" => {
                environment.problem(format!(
                    "unsupported value `{value}` for {name} (expected `gzip` or `none`); using `none`"
                ));
                false
            }
            _ => false,
        };
        let (variable, url) = match of("ENDPOINT") {
            // One of all signals is what their paths are below.
            Some((name, base)) if name == "OTEL_EXPORTER_OTLP_ENDPOINT" => {
                let url = format!("{}/v1/{}", base.trim_end_matches('/'), signal.name());
                (name, url)
            }
            Some(own) => own,
            None => (String::new(), format!("{ENDPOINT}/v1/{}", signal.name())),
        };
        let web = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
        if !url.parse::<Uri>().is_ok_and(|uri| web(&uri)) {
            let name = signal.name();
            environment.problem(format!("{name} are not exported: {variable} gives `{url}`, which is not an HTTP URL"));
            return None;
        }
        let timeout = environment.number(of("TIMEOUT")).map_or(TIMEOUT, Duration::from_millis);
        let headers = of("HEADERS").map(|said| headers(environment, said)).unwrap_or_default();
        Some(Outlet { url, headers, timeout, gzip, certificate: of("CERTIFICATE"), resource: resource() })
    }
}

/// `name=value,…`, values percent-encoded.
fn headers(environment: &Environment<'_>, (variable, value): (String, String)) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in value.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let header = pair.split_once('=').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let value = HeaderValue::from_bytes(&percent_decoded(value.trim())?).ok()?;
            Some((name, value))
        });
        match header {
            Some((name, value)) => drop(headers.append(name, value)),
            // Without its value, which may be a secret.
            None => environment.problem(format!(
                "{variable} has an invalid header (expected `name=value` with a percent-encoded value); ignoring it"
            )),
        }
    }
    headers
}

/// Who sends: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, read by the SDK; `weir` where neither names a service.
fn resource() -> Resource {
    let version = || [opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
    let said = Resource::builder().with_attributes(version()).build();
    let name = said.get(&Key::from("service.name")).map(|name| name.to_string());
    match name.is_none_or(|name| name.starts_with("unknown_service")) {
        true => Resource::builder().with_attributes(version()).with_service_name("weir").build(),
        false => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads where metrics go, with what is wrong.
    fn read(variables: &[(&str, &str)]) -> (Option<Outlet>, Vec<String>) {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let environment = Environment::of(&get);
        let outlet = Outlet::read(&environment, Signal::Metrics);
        (outlet, environment.problems())
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    #[test]
    fn an_endpoint_of_all_signals_gets_their_paths_and_one_of_its_own_none() {
        let url = |variables: &[(&str, &str)]| read(variables).0.map(|read| read.url);
        let check = |variables: &[(&str, &str)], expected| assert_eq!(url(variables).as_deref(), expected);
        check(&[("OTEL_METRICS_EXPORTER", "otlp")], Some("http://localhost:4318/v1/metrics"));
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://h/base/")], Some("https://h/base/v1/metrics"));
        check(&[BASE, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:1/")], Some("http://h:1/"));
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")], None);
        let (none, problems) = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://h")]);
        assert!(none.is_none() && problems[0].contains("which is not an HTTP URL"), "{problems:?}");
    }

    #[test]
    fn headers_are_decoded_and_what_is_none_is_said_without_its_value() {
        let with = |value| read(&[BASE, ("OTEL_EXPORTER_OTLP_HEADERS", value)]);
        let (read, problems) = with(" x-a=1, authorization=Basic%20abc=,");
        let headers = read.expect("metrics").headers;
        assert_eq!((headers.len(), problems.len()), (2, 0), "{problems:?}");
        assert_eq!((headers["x-a"].as_bytes(), headers["authorization"].as_bytes()), (&b"1"[..], &b"Basic abc="[..]));
        for odd in ["secret", "a=%0asecret", "b\u{e9}=secret", "a=%2"] {
            let (read, problems) = with(odd);
            assert!(read.expect("metrics").headers.is_empty(), "{odd}");
            assert!(problems.len() == 1 && !problems[0].contains("secret"), "{problems:?}");
        }
    }
}
