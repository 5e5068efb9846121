//! The manifest: what a function declares of itself, as a line of JSON made by const evaluation.
//!
//! Nothing of it is run in the guest. The line is a static in the custom section `weir.manifest`, where the host reads it
//! before it compiles anything. What is wrong with a declaration is an error of the author's build.

use weir_abi::{ABI_VERSION, NAME_LEN_MAX};

use crate::answer::Answer;
use crate::metrics::Metrics;
use crate::params::Params;
use crate::row::Row;

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
    const fn name(self) -> &'static str {
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
            "the number of labels(…) is not that of the metric's type: `Counter<2>` takes two, `Counter` none"
        );
        match self.kind {
            MetricKind::Histogram => {
                assert!(!self.buckets.is_empty(), "a histogram needs its bounds: `#[metric(buckets(0, 15, 60))]`");
            }
            MetricKind::Counter | MetricKind::Gauge => {
                assert!(self.buckets.is_empty(), "only a histogram has buckets");
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

/// A function's declaration.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names are those of the contract")]
pub struct Function {
    pub name: &'static str,
    pub doc: &'static str,
    pub kind: Kind,
    pub state: State,
    pub input: &'static [FieldSpec],
    pub output: &'static [FieldSpec],
    pub params: &'static [ParamSpec],
    pub metrics: &'static [MetricSpec],
}

impl Function {
    /// The declaration of a transform that is a function.
    pub const fn transform<R: Row, P: Params, A: Answer>(name: &'static str, doc: &'static str) -> Self {
        let kind = Kind::Transform { shape: A::SHAPE, fallible: A::FALLIBLE };
        let (input, output, params) = (R::FIELDS, A::FIELDS, P::SPECS);
        Self { name, doc, kind, state: State::None, input, output, params, metrics: &[] }
    }

    /// The declaration of a transform that is an `impl`.
    pub const fn stateful<R: Row, P: Params, A: Answer>(name: &'static str, doc: &'static str) -> Self {
        Self { state: State::Kept, ..Self::transform::<R, P, A>(name, doc) }
    }

    /// The declaration of a filter that reads by itself.
    pub const fn raw_filter<R: Row>(name: &'static str, doc: &'static str) -> Self {
        Self::transform::<R, (), bool>(name, doc)
    }

    /// A metrics function's declaration.
    pub const fn metrics<M: Metrics, R: Row>(name: &'static str, doc: &'static str) -> Self {
        let params = <M::Params as Params>::SPECS;
        let state = if M::KEEPS_STATE { State::Kept } else { State::None };
        Self { name, doc, kind: Kind::Metrics, state, input: R::FIELDS, output: &[], params, metrics: M::SPECS }
    }

    /// How long [`Function::json`] is.
    pub const fn json_bytes(&self) -> usize {
        self.write(Json::<0>::new()).length
    }

    /// The line of the manifest, with its line feed.
    pub const fn json<const N: usize>(&self) -> [u8; N] {
        let json = self.write(Json::<N>::new());
        assert!(json.length == N);
        json.bytes
    }

    const fn write<const N: usize>(&self, mut json: Json<N>) -> Json<N> {
        json.raw("{\"abi\":");
        json.digit(ABI_VERSION);
        json.raw(",\"name\":");
        json.text(self.name);
        match self.kind {
            Kind::Metrics => json.raw(",\"kind\":\"metrics\""),
            Kind::Transform { shape, fallible } => {
                json.raw(",\"kind\":\"transform\",\"output_shape\":");
                json.text(match shape {
                    Shape::Filter => "filter",
                    Shape::Map => "map",
                    Shape::FilterMap => "filter_map",
                    Shape::FlatMap => "flat_map",
                });
                json.raw(",\"fallible\":");
                json.bool(fallible);
            }
        }
        json.raw(match self.state {
            State::Kept => ",\"state\":\"kept\"",
            State::None => ",\"state\":\"none\"",
        });
        json.named_text(",\"doc\":", self.doc);
        json.raw(",\"input\":");
        check_fields(self.input, true);
        json.fields(self.input);
        json.raw(",\"output\":");
        check_fields(self.output, false);
        json.fields(self.output);
        json.params(self.params);
        json.metrics(self.metrics);
        json.raw("}\n");
        json
    }
}

const fn check_fields(fields: &[FieldSpec], input: bool) {
    let mut i = 0;
    while i < fields.len() {
        let FieldSpec { name, ty, nullable } = fields[i];
        assert!(!name.is_empty() && name.len() <= NAME_LEN_MAX, "a field's name has 1 to 64 bytes");
        if name.as_bytes()[0] == b'_' {
            assert!(input, "an output field's name does not begin with `_`: those are the system's");
            let system = same(name, "_key") && matches!(ty, FieldType::Binary)
                || same(name, "_timestamp") && matches!(ty, FieldType::Timestamp)
                || same(name, "_partition") && matches!(ty, FieldType::I32)
                || same(name, "_offset") && matches!(ty, FieldType::I64);
            assert!(
                system && nullable,
                "the system's columns are `_key`: Option<&[u8]>, `_timestamp`: Option<Timestamp>, \
                 `_partition`: Option<i32>, `_offset`: Option<i64>"
            );
        }
        i += 1;
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// JSON in an array. With `N` of 0 it only measures.
struct Json<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Json<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self.byte(bytes[i]);
            i += 1;
        }
    }

    const fn digit(&mut self, digit: u32) {
        assert!(digit < 10);
        self.byte(b'0' + digit as u8);
    }

    const fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A text in quotes. What is not ASCII stands for itself.
    const fn text(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = text.as_bytes();
        self.byte(b'"');
        let mut i = 0;
        while i < bytes.len() {
            match bytes[i] {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                byte if byte < 0x20 => {
                    self.raw("\\u00");
                    self.byte(HEX[(byte >> 4) as usize]);
                    self.byte(HEX[(byte & 15) as usize]);
                }
                byte => self.byte(byte),
            }
            i += 1;
        }
        self.byte(b'"');
    }

    /// A key and its text, where there is one.
    const fn named_text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.raw(key);
            self.text(text);
        }
    }

    const fn comma(&mut self, index: usize) {
        if index > 0 {
            self.byte(b',');
        }
    }

    const fn fields(&mut self, fields: &[FieldSpec]) {
        self.byte(b'[');
        let mut i = 0;
        while i < fields.len() {
            self.comma(i);
            self.raw("{\"name\":");
            self.text(fields[i].name);
            self.raw(",\"type\":");
            self.text(fields[i].ty.name());
            self.raw(",\"nullable\":");
            self.bool(fields[i].nullable);
            self.byte(b'}');
            i += 1;
        }
        self.byte(b']');
    }

    const fn params(&mut self, params: &[ParamSpec]) {
        self.raw(",\"params\":[");
        let mut i = 0;
        while i < params.len() {
            self.comma(i);
            self.raw("{\"name\":");
            self.text(params[i].name);
            self.raw(",\"type\":");
            self.text(params[i].ty.name());
            if let Some(default) = params[i].default {
                self.raw(",\"default\":");
                self.raw(default);
            }
            self.named_text(",\"help\":", params[i].help);
            self.byte(b'}');
            i += 1;
        }
        self.byte(b']');
    }

    const fn metrics(&mut self, metrics: &[MetricSpec]) {
        self.raw(",\"metrics\":[");
        let mut i = 0;
        while i < metrics.len() {
            let metric = metrics[i];
            self.comma(i);
            self.raw("{\"name\":");
            self.text(metric.name);
            self.raw(match metric.kind {
                MetricKind::Counter => ",\"kind\":\"counter\"",
                MetricKind::Gauge => ",\"kind\":\"gauge\"",
                MetricKind::Histogram => ",\"kind\":\"histogram\"",
            });
            self.named_text(",\"unit\":", metric.unit);
            self.named_text(",\"help\":", metric.help);
            self.raw(",\"labels\":[");
            let mut label = 0;
            while label < metric.labels.len() {
                self.comma(label);
                self.text(metric.labels[label]);
                label += 1;
            }
            self.byte(b']');
            if !metric.buckets.is_empty() {
                self.raw(",\"buckets\":[");
                let mut bucket = 0;
                while bucket < metric.buckets.len() {
                    self.comma(bucket);
                    self.raw(metric.buckets[bucket]);
                    bucket += 1;
                }
                self.byte(b']');
            }
            self.byte(b'}');
            i += 1;
        }
        self.byte(b']');
    }
}
