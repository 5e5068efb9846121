//! What the environment says about traces. Endpoint, headers and compression are the exporter's own to read.

use std::time::Duration;

use opentelemetry::Key;
use opentelemetry_sdk::Resource;
use weir_query::Sampler;

/// The specification's defaults.
const TIMEOUT: Duration = Duration::from_secs(10);
const QUEUE_SPANS_MAX: usize = 2048;

/// What is to be exported, and how.
pub(super) struct Settings {
    pub(super) sampler: Sampler,
    pub(super) resource: Resource,
    pub(super) timeout: Duration,
    pub(super) queue_spans_max: usize,
    /// Values that are not understood: the default stands in for each, as the specification has it.
    pub(super) problems: Vec<String>,
}

impl Settings {
    /// Reads variables by `get`, which says nothing of an empty one. `None` where no traces are asked for.
    pub(super) fn read(get: &dyn Fn(&str) -> Option<String>) -> Option<Settings> {
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let mut problems = Vec::new();
        let endpoint = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT"));
        match get("OTEL_TRACES_EXPORTER").as_deref() {
            None if endpoint.is_none() => return None,
            None | Some("otlp") => {}
            Some("none") => return None,
            Some(other) => {
                tracing::warn!(
                    "OTEL_TRACES_EXPORTER is `{other}`: traces are exported by `otlp` or by `none`, which it is"
                );
                return None;
            }
        }
        let protocol = get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| get("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if let Some(other) = protocol.filter(|protocol| protocol != "http/protobuf") {
            problems.push(format!("OTEL_EXPORTER_OTLP_PROTOCOL is `{other}`: http/protobuf is what is spoken"));
        }
        let (name, argument) = (get("OTEL_TRACES_SAMPLER"), get("OTEL_TRACES_SAMPLER_ARG"));
        let sampler = Sampler::named(name.as_deref(), argument.as_deref()).unwrap_or_else(|error| {
            problems.push(format!("OTEL_TRACES_SAMPLER: {error}; parentbased_always_on stands in"));
            Sampler::default()
        });
        let mut number = |names: &[&str]| {
            let (name, value) = names.iter().find_map(|name| get(name).map(|value| (*name, value)))?;
            let number = value.trim().parse::<u64>().ok().filter(|&number| number > 0);
            if number.is_none() {
                problems.push(format!("{name} is `{value}`, which is no number above 0: the default stands in"));
            }
            number
        };
        let timeout = number(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]);
        let queue = number(&["OTEL_BSP_MAX_QUEUE_SIZE"]).and_then(|spans| usize::try_from(spans).ok());
        Some(Settings {
            sampler,
            resource: resource(),
            timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
            queue_spans_max: queue.unwrap_or(QUEUE_SPANS_MAX),
            problems,
        })
    }
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

    fn read(variables: &[(&str, &str)]) -> Option<Settings> {
        let variables = variables.to_vec();
        Settings::read(&move |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    #[test]
    fn traces_are_off_until_somebody_asks_for_them() {
        assert!(read(&[]).is_none());
        assert!(read(&[ENDPOINT]).is_some());
        assert!(read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost/x")]).is_some());
        assert!(read(&[("OTEL_TRACES_EXPORTER", "otlp")]).is_some());
        assert!(read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]).is_none());
        assert!(read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "zipkin")]).is_none());
        assert!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]).is_none());
        assert!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "1")]).is_some());
    }

    #[test]
    fn what_is_not_understood_is_said_and_the_default_stands_in() {
        let odd = read(&[
            ENDPOINT,
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ]);
        let odd = odd.expect("traces");
        assert_eq!((odd.sampler, odd.timeout, odd.queue_spans_max), (Sampler::default(), TIMEOUT, QUEUE_SPANS_MAX));
        assert_eq!(odd.problems.len(), 4, "{:?}", odd.problems);
        let set = read(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        let set = set.expect("traces");
        assert_eq!((set.timeout, set.queue_spans_max), (Duration::from_millis(250), 7));
        assert_eq!(set.sampler, Sampler::named(Some("traceidratio"), Some("0.25")).expect("a sampler"));
        assert_eq!(set.problems, [""; 0]);
    }
}
