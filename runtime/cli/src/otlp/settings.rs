//! What the environment says about traces, metrics and logs.

use std::cell::RefCell;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Key;
use opentelemetry_sdk::Resource;
use weir_query::Sampler;

/// The specification's defaults.
const ENDPOINT: &str = "http://localhost:4318";
const TIMEOUT: Duration = Duration::from_secs(10);
const QUEUE_MAX: usize = 2048;
const METRICS_EVERY: Duration = Duration::from_secs(60);

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// As paths and messages have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// What is sent one by one, and lost.
    pub(super) fn things(self) -> &'static str {
        match self {
            Signal::Traces => "spans",
            Signal::Metrics => "exports of metrics",
            Signal::Logs => "log records",
        }
    }
}

/// Variables, and what is wrong with them: the default stands in for each, as the specification has it.
pub(super) struct Environment<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<String>>,
}

impl<'a> Environment<'a> {
    pub(super) fn of(get: &'a dyn Fn(&str) -> Option<String>) -> Environment<'a> {
        Environment { get, problems: RefCell::default() }
    }

    /// Each once: a variable of all signals is read by all of them.
    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.borrow().clone()
    }

    /// A variable that is empty says nothing.
    fn get(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    fn problem(&self, problem: String) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// A variable of this signal, or else of all signals, with its name.
    fn of_signal(&self, signal: Signal, what: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name().to_uppercase());
        let names = [own, format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn number(&self, said: Option<(String, String)>) -> Option<u64> {
        let (name, value) = said?;
        let number = value.trim().parse::<u64>().ok().filter(|&number| number > 0);
        if number.is_none() {
            self.problem(format!("{name} is `{value}`, which is no number above 0: the default stands in"));
        }
        number
    }

    fn named_number(&self, name: &str) -> Option<u64> {
        self.number(self.get(name).map(|value| (name.to_owned(), value)))
    }

    /// Whether this signal is asked for.
    fn asks_for(&self, signal: Signal) -> bool {
        if self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return false;
        }
        let variable = format!("OTEL_{}_EXPORTER", signal.name().to_uppercase());
        match self.get(&variable).as_deref() {
            None => self.of_signal(signal, "ENDPOINT").is_some(),
            Some("otlp") => true,
            Some("none") => false,
            Some(other) => {
                let name = signal.name();
                self.problem(format!(
                    "{variable} is `{other}`: {name} are exported by `otlp` or by `none`, which it is"
                ));
                false
            }
        }
    }
}

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
    fn read(environment: &Environment<'_>, signal: Signal) -> Option<Outlet> {
        if !environment.asks_for(signal) {
            return None;
        }
        let of = |what: &str| environment.of_signal(signal, what);
        if let Some((name, other)) = of("PROTOCOL").filter(|(_, protocol)| protocol != "http/protobuf") {
            environment.problem(format!("{name} is `{other}`: http/protobuf is what is spoken"));
        }
        for what in ["CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            if let Some((name, _)) = of(what) {
                environment.problem(format!("{name} is not supported: no client certificate is sent"));
            }
        }
        let gzip = match of("COMPRESSION") {
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) if value != "none" => {
                environment.problem(format!("{name} is `{value}`: there are gzip and none, which it is"));
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
            environment.problem(format!("{name} are not exported: {variable} makes `{url}`, which is no URL of HTTP"));
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
            let value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
            Some((name, value))
        });
        match header {
            Some((name, value)) => drop(headers.append(name, value)),
            // Without its value, which may be a secret.
            None => environment.problem(format!(
                "{variable} has a part that is no header: `name=value` with the value percent-encoded is one"
            )),
        }
    }
    headers
}

fn decoded(value: &str) -> Option<Vec<u8>> {
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    Some(decoded)
}

/// How traces are exported.
pub(super) struct TraceSettings {
    pub(super) outlet: Outlet,
    pub(super) sampler: Sampler,
    pub(super) queue_max: usize,
}

impl TraceSettings {
    pub(super) fn read(environment: &Environment<'_>) -> Option<TraceSettings> {
        let outlet = Outlet::read(environment, Signal::Traces)?;
        let (name, argument) = (environment.get("OTEL_TRACES_SAMPLER"), environment.get("OTEL_TRACES_SAMPLER_ARG"));
        let sampler = Sampler::named(name.as_deref(), argument.as_deref()).unwrap_or_else(|error| {
            environment.problem(format!("OTEL_TRACES_SAMPLER: {error}; parentbased_always_on stands in"));
            Sampler::default()
        });
        Some(TraceSettings { outlet, sampler, queue_max: queue_max(environment, "OTEL_BSP_MAX_QUEUE_SIZE") })
    }
}

/// How metrics are exported.
pub(super) struct MetricSettings {
    pub(super) outlet: Outlet,
    pub(super) every: Duration,
}

impl MetricSettings {
    pub(super) fn read(environment: &Environment<'_>) -> Option<MetricSettings> {
        let outlet = Outlet::read(environment, Signal::Metrics)?;
        let every = environment.named_number("OTEL_METRIC_EXPORT_INTERVAL");
        let temporality = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        if let Some(other) = environment.get(temporality).filter(|value| !value.eq_ignore_ascii_case("cumulative")) {
            environment.problem(format!("{temporality} is `{other}`: counters are sent cumulative"));
        }
        Some(MetricSettings { outlet, every: every.map_or(METRICS_EVERY, Duration::from_millis) })
    }
}

/// How logs are exported.
pub(super) struct LogSettings {
    pub(super) outlet: Outlet,
    pub(super) queue_max: usize,
}

impl LogSettings {
    pub(super) fn read(environment: &Environment<'_>) -> Option<LogSettings> {
        let outlet = Outlet::read(environment, Signal::Logs)?;
        Some(LogSettings { outlet, queue_max: queue_max(environment, "OTEL_BLRP_MAX_QUEUE_SIZE") })
    }
}

fn queue_max(environment: &Environment<'_>, variable: &str) -> usize {
    environment.named_number(variable).and_then(|things| usize::try_from(things).ok()).unwrap_or(QUEUE_MAX)
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

    /// Reads by this, with what is wrong.
    fn read<T>(variables: &[(&str, &str)], by: fn(&Environment<'_>) -> Option<T>) -> (Option<T>, Vec<String>) {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let environment = Environment::of(&get);
        let settings = by(&environment);
        (settings, environment.problems())
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    #[test]
    fn signals_are_off_until_somebody_asks_for_them() {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let upper = signal.name().to_uppercase();
            let (own, exporter) = (format!("OTEL_EXPORTER_OTLP_{upper}_ENDPOINT"), format!("OTEL_{upper}_EXPORTER"));
            let asked = |variables: &[(&str, &str)]| {
                let get = |name: &str| {
                    variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
                };
                Environment::of(&get).asks_for(signal)
            };
            assert!(!asked(&[]));
            assert!(asked(&[ENDPOINT]));
            assert!(asked(&[(&own, "http://localhost/x")]));
            assert!(asked(&[(&exporter, "otlp")]));
            assert!(!asked(&[ENDPOINT, (&exporter, "none")]));
            assert!(!asked(&[ENDPOINT, (&exporter, "zipkin")]));
            assert!(!asked(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]));
            assert!(asked(&[ENDPOINT, ("OTEL_SDK_DISABLED", "1")]));
        }
        assert!(read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x")], LogSettings::read).0.is_none());
    }

    #[test]
    fn what_is_not_understood_is_said_once_and_the_default_stands_in() {
        let variables = [
            ENDPOINT,
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ];
        let (odd, problems) = read(&variables, |environment| {
            LogSettings::read(environment)?;
            MetricSettings::read(environment)?;
            TraceSettings::read(environment)
        });
        let odd = odd.expect("traces");
        assert_eq!((odd.sampler, odd.outlet.timeout, odd.queue_max), (Sampler::default(), TIMEOUT, QUEUE_MAX));
        assert_eq!((problems.len(), odd.outlet.gzip), (5, false), "{problems:?}");
        let set = read(
            &[
                ENDPOINT,
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
                ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ],
            TraceSettings::read,
        );
        let (set, problems) = (set.0.expect("traces"), set.1);
        assert_eq!((set.outlet.timeout, set.queue_max), (Duration::from_millis(250), 7));
        assert_eq!(set.sampler, Sampler::named(Some("traceidratio"), Some("0.25")).expect("a sampler"));
        assert!(set.outlet.gzip);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn an_endpoint_of_all_signals_gets_their_paths_and_one_of_its_own_none() {
        let url = |variables: &[(&str, &str)]| read(variables, MetricSettings::read).0.map(|read| read.outlet.url);
        let check = |variables: &[(&str, &str)], expected| assert_eq!(url(variables).as_deref(), expected);
        check(&[("OTEL_METRICS_EXPORTER", "otlp")], Some("http://localhost:4318/v1/metrics"));
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://h/base/")], Some("https://h/base/v1/metrics"));
        check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:1/")], Some("http://h:1/"));
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")], None);
        let (none, problems) = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://h")], MetricSettings::read);
        assert!(none.is_none() && problems[0].contains("which is no URL of HTTP"), "{problems:?}");
    }

    #[test]
    fn headers_are_decoded_and_what_is_none_is_said_without_its_value() {
        let with = |value| read(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", value)], MetricSettings::read);
        let (read, problems) = with(" x-a=1, authorization=Basic%20abc=,");
        let headers = read.expect("metrics").outlet.headers;
        assert_eq!((headers.len(), problems.len()), (2, 0), "{problems:?}");
        assert_eq!((headers["x-a"].as_bytes(), headers["authorization"].as_bytes()), (&b"1"[..], &b"Basic abc="[..]));
        for odd in ["secret", "a=%0asecret", "b\u{e9}=secret", "a=%2"] {
            let (read, problems) = with(odd);
            assert!(read.expect("metrics").outlet.headers.is_empty(), "{odd}");
            assert!(problems.len() == 1 && !problems[0].contains("secret"), "{problems:?}");
        }
    }
}
