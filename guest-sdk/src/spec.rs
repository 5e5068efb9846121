//! What a function's declaration consists of: types, fields, parameters, metrics, kinds.

/// A type of column, by its name in the contract.
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
    /// Whether it may hold nulls.
    pub nullable: bool,
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// Its name in the query file.
    pub name: &'static str,
    /// bool, i64, f64 or utf8.
    pub ty: FieldType,
    /// The default, as JSON.
    pub default: Option<&'static str>,
    /// What it is for; empty for nothing said.
    pub help: &'static str,
}

/// What a metric does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Adds.
    Counter,
    /// Sets.
    Gauge,
    /// Observes.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// The unit, as UCUM writes it; empty for none.
    pub unit: &'static str,
    /// What it says; empty for nothing said.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Upper bounds as JSON, ascending. Histograms only.
    pub buckets: &'static [&'static str],
}

impl MetricSpec {
    /// The declaration, held against the field's type, which takes `labels` labels.
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

/// What a transform answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Which rows stay.
    Filter,
    /// A row for each row.
    Map,
    /// A row or none for each row.
    FilterMap,
    /// Any number of rows for each row.
    FlatMap,
}

/// What a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records to records.
    Transform {
        /// What it answers.
        shape: Shape,
        /// Whether it may fail a row.
        fallible: bool,
    },
    /// Records to metrics.
    Metrics,
}

/// What a function keeps in its memory from batch to batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// What its answers depend on: they are others where it was lost.
    Kept,
    /// A cache at most.
    None,
}
