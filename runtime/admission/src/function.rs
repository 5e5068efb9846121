//! Functions of modules, as declared in manifests.

use std::fmt;

use weir_batch::{DataType, Field};

/// One function of a module, as its manifest declares it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Function {
    /// The name, unique in its module.
    pub name: String,
    /// What it does with a batch.
    pub kind: FunctionKind,
    /// Whether it can refuse single rows.
    pub fallible: bool,
    /// What it keeps in memory between batches.
    pub state: FunctionState,
    /// The documentation by its author; may be empty.
    pub doc: String,
    /// The fields it reads, in the order of their column indices.
    pub input: Vec<Field>,
    /// The fields it writes, in the order of their field indices.
    pub output: Vec<Field>,
    /// Its parameters, in the order of their indices.
    pub params: Vec<Param>,
    /// The metrics it records, in the order of their indices.
    pub metrics: Vec<Metric>,
}

impl Function {
    /// A function of no fields, parameters and metrics, which fails no row and does not say whether it keeps state.
    pub fn new(name: impl Into<String>, kind: FunctionKind) -> Function {
        let (input, output, params, metrics) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (name, doc, state) = (name.into(), String::new(), FunctionState::Unknown);
        Function { name, kind, fallible: false, state, doc, input, output, params, metrics }
    }
}

/// What a function keeps in memory between batches, according to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionState {
    /// State on which its results depend. It is lost with the instance.
    Kept,
    /// Only caches: a new instance returns the same results.
    None,
    /// The module does not say: an older SDK made it, or no SDK.
    Unknown,
}

/// What a function does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// Returns rows.
    Transform(OutputShape),
    /// Records metrics; the batch passes unchanged.
    Metrics,
}

/// The relation between a transform's input and output rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputShape {
    /// Some of the rows, unchanged.
    Filter,
    /// One row for each row.
    Map,
    /// One row, or none, for each row.
    FilterMap,
    /// Any number of rows for each row.
    FlatMap,
}

/// A parameter of a function, which the query sets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Param {
    /// The name, unique in its function.
    pub name: String,
    /// The type.
    pub kind: ParamType,
    /// The value if the query does not set one; without a default, the query must.
    pub default: Option<ParamValue>,
    /// The description; may be empty.
    pub help: String,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamType {
    /// True or false.
    Bool,
    /// 64-bit integer.
    I64,
    /// IEEE 754 double; integers are accepted too.
    F64,
    /// Text.
    Utf8,
}

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// True or false.
    Bool(bool),
    /// 64-bit integer.
    I64(i64),
    /// IEEE 754 double.
    F64(f64),
    /// Text.
    Utf8(String),
}

/// A metric that a function records.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// The name, unique in its function.
    pub name: String,
    /// How values are combined.
    pub kind: MetricKind,
    /// The unit of its values; may be empty.
    pub unit: String,
    /// The description; may be empty.
    pub help: String,
    /// The names of its labels, in order.
    pub labels: Vec<String>,
    /// Upper bounds of a histogram's buckets, ascending and finite; a last bucket counts values above.
    pub buckets: Vec<f64>,
}

impl Metric {
    /// A metric without labels, buckets, unit and help.
    pub fn new(name: impl Into<String>, kind: MetricKind) -> Metric {
        let (unit, help, labels, buckets) = (String::new(), String::new(), Vec::new(), Vec::new());
        Metric { name: name.into(), kind, unit, help, labels, buckets }
    }
}

/// How a metric combines values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub enum MetricKind {
    /// A sum that never decreases.
    Counter,
    /// The last value.
    Gauge,
    /// Counts per bucket, and the sum of the values.
    Histogram,
}

impl FunctionState {
    /// `kept`, `none` or `unknown`.
    pub const fn name(self) -> &'static str {
        match self {
            FunctionState::Kept => "kept",
            FunctionState::None => "none",
            FunctionState::Unknown => "unknown",
        }
    }
}

impl FunctionKind {
    /// `filter`, `map`, `filter_map`, `flat_map` or `metrics`.
    pub const fn name(self) -> &'static str {
        match self {
            FunctionKind::Metrics => "metrics",
            FunctionKind::Transform(shape) => shape.name(),
        }
    }
}

impl OutputShape {
    /// Every shape.
    pub const ALL: [OutputShape; 4] =
        [OutputShape::Filter, OutputShape::Map, OutputShape::FilterMap, OutputShape::FlatMap];

    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            OutputShape::Filter => "filter",
            OutputShape::Map => "map",
            OutputShape::FilterMap => "filter_map",
            OutputShape::FlatMap => "flat_map",
        }
    }
}

impl ParamType {
    /// Every type.
    pub const ALL: [ParamType; 4] = [ParamType::Bool, ParamType::I64, ParamType::F64, ParamType::Utf8];

    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            ParamType::Bool => "bool",
            ParamType::I64 => "i64",
            ParamType::F64 => "f64",
            ParamType::Utf8 => "utf8",
        }
    }

    /// The value converted to this type, if possible: an integer is accepted as a double if no digit is lost.
    pub fn accept(self, value: &ParamValue) -> Option<ParamValue> {
        match (self, value) {
            (ParamType::F64, &ParamValue::I64(value)) => {
                const EXACT: i64 = 1 << 53;
                (-EXACT..=EXACT).contains(&value).then_some(ParamValue::F64(value as f64))
            }
            (ParamType::F64, ParamValue::F64(number)) => number.is_finite().then(|| value.clone()),
            _ => (value.param_type() == self).then(|| value.clone()),
        }
    }
}

impl ParamValue {
    /// The value's type.
    pub const fn param_type(&self) -> ParamType {
        match self {
            ParamValue::Bool(_) => ParamType::Bool,
            ParamValue::I64(_) => ParamType::I64,
            ParamValue::F64(_) => ParamType::F64,
            ParamValue::Utf8(_) => ParamType::Utf8,
        }
    }
}

impl MetricKind {
    /// Every kind.
    pub const ALL: [MetricKind; 3] = [MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram];

    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for OutputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The value in the syntax of query files.
impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamValue::Bool(value) => write!(f, "{value}"),
            ParamValue::I64(value) => write!(f, "{value}"),
            ParamValue::F64(value) => write!(f, "{value:?}"),
            ParamValue::Utf8(value) => write!(f, "{value:?}"),
        }
    }
}

/// Whether a column of type `found` can be widened to the declared integer type, or has it.
pub(crate) fn accepts(declared: DataType, found: DataType) -> bool {
    let rank = |data_type| match data_type {
        DataType::I8 => Some(0),
        DataType::I16 => Some(1),
        DataType::I32 => Some(2),
        DataType::I64 => Some(3),
        _ => None,
    };
    declared == found || matches!((rank(declared), rank(found)), (Some(declared), Some(found)) if found < declared)
}
