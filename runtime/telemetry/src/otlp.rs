//! The families as OTLP metrics
//! (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>).

use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use weir_query::RunningQuery;

use crate::families::{Agreed, Families, Family, FamilyKind, LabelledSample, Sample, Unit, Value};
use crate::queries::families;
use crate::workers::WorkersReport;

/// The approximate size of a request. Receivers accept 4 to 20 MiB; metrics of guests may be larger.
const REQUEST_BYTES_MAX: usize = 2 << 20;

/// The sender of metrics, and the start of their counting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportOrigin {
    /// Attributes of the process.
    pub resource: Vec<KeyValue>,
    /// The start of every counter and histogram.
    pub start: SystemTime,
}

impl ExportOrigin {
    /// A process with these attributes, which counts since `start`.
    pub fn new(resource: Vec<KeyValue>, start: SystemTime) -> ExportOrigin {
        ExportOrigin { resource, start }
    }
}

/// The metrics of these queries and workers as OTLP requests of about 2 MiB each: the same metrics as in [`exposition`](crate::exposition).
pub fn otlp_requests<'a, Q: RunningQuery + ?Sized + 'a>(
    queries: impl IntoIterator<Item = &'a Q>,
    workers: Option<&WorkersReport>,
    origin: &ExportOrigin,
) -> Vec<ExportMetricsServiceRequest> {
    requests(families(queries, workers), origin, SystemTime::now(), REQUEST_BYTES_MAX)
}

fn requests(
    families: Families,
    origin: &ExportOrigin,
    now: SystemTime,
    bytes_max: usize,
) -> Vec<ExportMetricsServiceRequest> {
    let times = Times { start: nanos(origin.start), now: nanos(now) };
    let (mut requests, mut metrics, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
    for family in families.0.into_values() {
        let mut points = Points::of(family.kind);
        for series in &family.series {
            let size = points.push(series, times);
            bytes = bytes.saturating_add(size);
            if bytes >= bytes_max {
                metrics.push(metric(&family, std::mem::replace(&mut points, Points::of(family.kind))));
                requests.push(request(std::mem::take(&mut metrics), origin));
                bytes = 0;
            }
        }
        if !points.is_empty() {
            metrics.push(metric(&family, points));
        }
    }
    if !metrics.is_empty() {
        requests.push(request(metrics, origin));
    }
    requests
}

fn request(metrics: Vec<Metric>, origin: &ExportOrigin) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope {
        name: "weir".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }];
    let resource = Some(Resource { attributes: origin.resource.clone(), ..Resource::default() });
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn metric(family: &Family, points: Points) -> Metric {
    let description = match &family.help {
        Agreed::Said(help) => help.clone(),
        Agreed::Disputed => "Functions describe this metric differently.".to_owned(),
    };
    let unit = match &family.unit {
        Agreed::Said(unit) => unit.code(),
        Agreed::Disputed => String::new(),
    };
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = match points {
        Points::Numbers(data_points) => match family.kind {
            FamilyKind::Gauge | FamilyKind::Histogram => Data::Gauge(Gauge { data_points }),
            FamilyKind::Counter | FamilyKind::UpDownCounter => {
                let is_monotonic = family.kind == FamilyKind::Counter;
                Data::Sum(Sum { data_points, aggregation_temporality: cumulative, is_monotonic })
            }
        },
        Points::Histograms(data_points) => {
            Data::Histogram(Histogram { data_points, aggregation_temporality: cumulative })
        }
    };
    Metric { name: family.name.clone(), description, unit, metadata: Vec::new(), data: Some(data) }
}

impl Unit {
    /// The unit in UCUM. A tenant's unit becomes an annotation, which may contain any printable ASCII except braces.
    fn code(&self) -> String {
        match self {
            Unit::Code(code) => (*code).to_owned(),
            Unit::Word(word) if word.is_empty() => String::new(),
            Unit::Word(word) => {
                let plain = |character: char| match character {
                    '{' | '}' => '_',
                    '!'..='~' => character,
                    _ => '_',
                };
                format!("{{{}}}", word.chars().take(UNIT_CHARS_MAX).map(plain).collect::<String>())
            }
        }
    }
}

/// The maximum length of a tenant's unit, without the braces; the limit of OpenTelemetry's own instruments.
const UNIT_CHARS_MAX: usize = 61;

#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

/// The data points of a family, by kind.
enum Points {
    Numbers(Vec<NumberDataPoint>),
    Histograms(Vec<HistogramDataPoint>),
}

impl Points {
    fn of(kind: FamilyKind) -> Points {
        match kind {
            FamilyKind::Histogram => Points::Histograms(Vec::new()),
            _ => Points::Numbers(Vec::new()),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Points::Numbers(points) => points.is_empty(),
            Points::Histograms(points) => points.is_empty(),
        }
    }

    /// Adds a sample, and returns its size in bytes.
    fn push(&mut self, series: &LabelledSample, times: Times) -> usize {
        let attributes = series.labels.iter().map(|(name, value)| text(name, value)).collect();
        match (self, &series.reading) {
            (Points::Numbers(points), Sample::Number(value)) => {
                let value = match *value {
                    Value::Whole(whole) => number_data_point::Value::AsInt(i64::try_from(whole).unwrap_or(i64::MAX)),
                    Value::Signed(signed) => number_data_point::Value::AsInt(signed),
                    Value::Real(real) => number_data_point::Value::AsDouble(real),
                };
                let point = NumberDataPoint {
                    attributes,
                    start_time_unix_nano: times.start,
                    time_unix_nano: times.now,
                    value: Some(value),
                    ..NumberDataPoint::default()
                };
                let size = point.encoded_len();
                points.push(point);
                size
            }
            (Points::Histograms(points), Sample::Histogram { bounds, buckets, sum }) => {
                let point = HistogramDataPoint {
                    attributes,
                    start_time_unix_nano: times.start,
                    time_unix_nano: times.now,
                    count: buckets.iter().fold(0, |count: u64, bucket| count.saturating_add(*bucket)),
                    sum: Some(*sum),
                    bucket_counts: buckets.clone(),
                    explicit_bounds: bounds.clone(),
                    ..HistogramDataPoint::default()
                };
                let size = point.encoded_len();
                points.push(point);
                size
            }
            // All samples of a family have its kind, because they are created in one place.
            _ => 0,
        }
    }
}

/// An attribute with a text value.
pub(crate) fn text(name: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::families::About;

    fn origin() -> ExportOrigin {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        ExportOrigin { resource: vec![text("service.name", "weir")], start }
    }

    fn metrics(requests: &[ExportMetricsServiceRequest]) -> Vec<&Metric> {
        let resources = requests.iter().flat_map(|request| &request.resource_metrics);
        resources.flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics).collect()
    }

    #[test]
    fn each_kind_becomes_what_otlp_calls_it() {
        let mut families = Families::default();
        families.add(FamilyKind::Counter, About::new("a", "s", "Of a."), &[("x", "1")], Value::Real(0.5));
        families.add(FamilyKind::UpDownCounter, About::new("b", "By", ""), &[], Value::Whole(7));
        families.add(FamilyKind::Gauge, About::told("c", "café {s}", ""), &[], Value::Signed(-1));
        families.add_histogram(About::new("d", "", ""), &[], (&[1.0, 2.0], &[1, 0, 2], 9.5));
        let requests = requests(families, &origin(), SystemTime::UNIX_EPOCH + Duration::from_secs(3), 1 << 20);
        assert_eq!(requests.len(), 1);
        let metrics = metrics(&requests);
        let of = |name: &str| *metrics.iter().find(|metric| metric.name == name).expect(name);
        let said = |name| (of(name).unit.as_str(), of(name).description.as_str());
        assert_eq!((said("a"), said("b"), said("c")), (("s", "Of a."), ("By", ""), ("{caf___s_}", "")));
        let Some(Data::Sum(a)) = &of("a").data else { panic!("{:?}", of("a")) };
        assert!(a.is_monotonic && a.aggregation_temporality == AggregationTemporality::Cumulative as i32);
        let point = &a.data_points[0];
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1_000_000_000, 3_000_000_000));
        assert_eq!(point.attributes, [text("x", "1")]);
        assert_eq!(point.value, Some(number_data_point::Value::AsDouble(0.5)));
        let Some(Data::Sum(b)) = &of("b").data else { panic!("{:?}", of("b")) };
        assert!(!b.is_monotonic && b.data_points[0].value == Some(number_data_point::Value::AsInt(7)));
        let Some(Data::Gauge(c)) = &of("c").data else { panic!("{:?}", of("c")) };
        assert_eq!(c.data_points[0].value, Some(number_data_point::Value::AsInt(-1)));
        let Some(Data::Histogram(d)) = &of("d").data else { panic!("{:?}", of("d")) };
        let point = &d.data_points[0];
        assert_eq!((&point.explicit_bounds[..], &point.bucket_counts[..]), (&[1.0, 2.0][..], &[1, 0, 2][..]));
        assert_eq!((point.count, point.sum), (3, Some(9.5)));
    }

    #[test]
    fn what_is_much_goes_in_several_requests_and_nothing_is_lost() {
        let mut families = Families::default();
        for number in 0..1000 {
            let label = number.to_string();
            families.add(FamilyKind::Counter, About::new("a", "", ""), &[("n", &label)], Value::Whole(number));
        }
        families.add(FamilyKind::Gauge, About::new("b", "", ""), &[], Value::Whole(1));
        let requests = requests(families, &origin(), SystemTime::now(), 4096);
        assert!(requests.len() > 5, "{}", requests.len());
        assert!(requests.iter().all(|request| request.encoded_len() < 8192));
        let points = metrics(&requests).into_iter().map(|metric| match &metric.data {
            Some(Data::Sum(sum)) => sum.data_points.len(),
            Some(Data::Gauge(gauge)) => gauge.data_points.len(),
            other => panic!("{other:?}"),
        });
        assert_eq!(points.sum::<usize>(), 1001);
    }
}
