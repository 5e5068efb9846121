//! How traces, metrics and logs are exported, where they are.

use std::time::Duration;

use weir_trace::Sampler;

use super::environment::{Environment, Signal};
use super::outlet::Outlet;

/// The specification's defaults.
const QUEUE_MAX: usize = 2048;
const METRICS_EVERY: Duration = Duration::from_secs(60);

/// No queue is longer: the SDK makes room for all of it at the start.
const QUEUE_LIMIT: usize = 1 << 16;

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
            environment.problem(format!("OTEL_TRACES_SAMPLER: {error}; using parentbased_always_on"));
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
            environment.problem(format!(
                "unsupported value `{other}` for {temporality} (expected `cumulative`); using `cumulative`"
            ));
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
    let Some(things) = environment.named_number(variable) else { return QUEUE_MAX };
    let things = usize::try_from(things).unwrap_or(usize::MAX);
    if things > QUEUE_LIMIT {
        environment.problem(format!("{variable} is {things}, but the maximum is {QUEUE_LIMIT}; using the maximum"));
    }
    things.min(QUEUE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::outlet::TIMEOUT;

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
    fn a_queue_has_an_end() {
        for (said, queue_max, wrong) in [
            ("1", 1, 0),
            ("65536", QUEUE_LIMIT, 0),
            ("65537", QUEUE_LIMIT, 1),
            ("18446744073709551615", QUEUE_LIMIT, 1),
            ("18446744073709551616", QUEUE_MAX, 1),
            ("-1", QUEUE_MAX, 1),
        ] {
            let (logs, problems) = read(&[ENDPOINT, ("OTEL_BLRP_MAX_QUEUE_SIZE", said)], LogSettings::read);
            assert_eq!((logs.expect("logs").queue_max, problems.len()), (queue_max, wrong), "{said}: {problems:?}");
        }
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
}
