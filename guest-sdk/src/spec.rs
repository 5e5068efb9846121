//! The parts of a function's declaration: types, fields, parameters, metrics, kinds.

/// A column type, by its name in the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the contract")]
pub enum FieldType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    F64,
    Utf8,
    Binary,
    Timestamp,
}

impl FieldType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            FieldType::Bool => "bool",
            FieldType::I8 => "i8",
            FieldType::I16 => "i16",
            FieldType::I32 => "i32",
            FieldType::I64 => "i64",
            FieldType::F64 => "f64",
            FieldType::Utf8 => "utf8",
            FieldType::Binary => "binary",
            FieldType::Timestamp => "timestamp",
        }
    }
}

/// A field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// The column's name.
    pub name: &'static str,
    /// Its type.
    pub ty: FieldType,
    /// Whether it is nullable.
    pub nullable: bool,
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// Its name in query files.
    pub name: &'static str,
    /// bool, i64, f64 or utf8.
    pub ty: FieldType,
    /// The default, as JSON.
    pub default: Option<&'static str>,
    /// The description; may be empty.
    pub help: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum.
    Counter,
    /// The last value.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// The unit in UCUM; may be empty.
    pub unit: &'static str,
    /// The description; may be empty.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Upper bounds as JSON, ascending. Histograms only.
    pub buckets: &'static [&'static str],
}

impl MetricSpec {
    /// Checks the declaration against the field's type, which has `labels` labels.
    pub const fn checked(self, labels: usize) -> Self {
        assert!(
            self.labels.len() == labels,
            "the number of labels in `labels(…)` differs from the metric's type: `Counter<2>` has two labels, `Counter` none"
        );
        match self.kind {
            MetricKind::Histogram => {
                assert!(
                    !self.buckets.is_empty(),
                    "a histogram needs buckets, for example `#[metric(buckets(0, 15, 60))]`"
                );
            }
            MetricKind::Counter | MetricKind::Gauge => {
                assert!(self.buckets.is_empty(), "only a histogram can have `buckets(…)`");
            }
        }
        self
    }
}

/// The relation between a transform's input and output rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Some of the rows.
    Filter,
    /// One row per row.
    Map,
    /// One row, or none, per row.
    FilterMap,
    /// Any number of rows per row.
    FlatMap,
}

/// The kind of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records to records.
    Transform {
        /// The relation of its rows.
        shape: Shape,
        /// Whether single rows may fail.
        fallible: bool,
    },
    /// Records to metrics.
    Metrics,
}

/// What a function keeps in memory between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// State on which its results depend.
    Kept,
    /// Only caches.
    None,
}
