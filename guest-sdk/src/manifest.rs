//! The manifest: the declarations of functions, as lines of JSON that const evaluation creates.
//!
//! No code of this runs in the guest. The line is a static in the custom section `weir.manifest`, where the host reads it before it
//! compiles anything. Mistakes in a declaration are errors of the author's build.

use weir_abi::{ABI_VERSION, NAME_LEN_MAX};

use crate::answer::Answer;
use crate::metrics::Metrics;
use crate::params::Params;
use crate::row::Row;
use crate::spec::{FieldSpec, FieldType, Kind, MetricKind, MetricSpec, ParamSpec, Shape, State};

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

    /// The declaration of a filter that uses `raw`.
    pub const fn raw_filter<R: Row>(name: &'static str, doc: &'static str) -> Self {
        Self::transform::<R, (), bool>(name, doc)
    }

    /// A metrics function's declaration.
    pub const fn metrics<M: Metrics, R: Row>(name: &'static str, doc: &'static str) -> Self {
        let params = <M::Params as Params>::SPECS;
        let state = if M::KEEPS_STATE { State::Kept } else { State::None };
        Self { name, doc, kind: Kind::Metrics, state, input: R::FIELDS, output: &[], params, metrics: M::SPECS }
    }

    /// The length of [`Function::json`].
    pub const fn json_bytes(&self) -> usize {
        self.write(Json::<0>::new()).length
    }

    /// The line of the manifest, with its line end.
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
        assert!(!name.is_empty() && name.len() <= NAME_LEN_MAX, "invalid field name: use 1 to 64 bytes");
        if name.as_bytes()[0] == b'_' {
            assert!(
                input,
                "the name of an output field cannot begin with `_`: such names are reserved for system columns"
            );
            let system = same(name, "_key") && matches!(ty, FieldType::Binary)
                || same(name, "_timestamp") && matches!(ty, FieldType::Timestamp)
                || same(name, "_partition") && matches!(ty, FieldType::I32)
                || same(name, "_offset") && matches!(ty, FieldType::I64);
            assert!(
                system && nullable,
                "the system columns are `_key`: Option<&[u8]>, `_timestamp`: Option<Timestamp>, \
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

/// JSON in an array. With `N` = 0 it only measures the length.
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

    /// A text in quotes. Characters that are not ASCII are not escaped.
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

    /// A key and its text, unless the text is empty.
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
