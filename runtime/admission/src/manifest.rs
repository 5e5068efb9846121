//! Manifests of modules, which are read without compiling or running the module.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use wasmtime::wasmparser::{Parser, Payload};
use weir_abi::{ABI_VERSION, MANIFEST_SECTION, NAME_LEN_MAX};
use weir_batch::{DataType, Field, SystemColumn};

use crate::function::accepts;
use crate::header::{check_header, invalid};
use crate::text::clean;
use crate::{
    CapExceeded, Function, FunctionKind, FunctionState, Metric, MetricKind, OutputShape, Param, ParamType, ParamValue,
    Refusal,
};

// The ABI's caps on the lists in the manifest.
const FUNCTIONS_MAX: usize = 256;
const ITEMS_MAX: usize = 256;
// The host stores the series of each metric, so this bounds all of them.
const METRICS_MAX: usize = 32;
const LABELS_MAX: usize = 16;
const BUCKETS_MAX: usize = 256;

/// The functions that a module declares, in the order of its manifest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModuleManifest {
    /// The functions; at least one, names unique.
    pub functions: Vec<Arc<Function>>,
}

impl ModuleManifest {
    /// Reads the manifest from a module's bytes. Compiles and runs nothing, and validates only the manifest.
    ///
    /// # Errors
    ///
    /// The bytes are not a module, or the manifest is missing or invalid.
    pub fn read(module: &[u8]) -> Result<ModuleManifest, Refusal> {
        ModuleManifest::read_within(module, crate::ModuleLimits::default().manifest_bytes_max)
    }

    /// The same, for a manifest section of at most this many bytes.
    pub(crate) fn read_within(module: &[u8], bytes_max: usize) -> Result<ModuleManifest, Refusal> {
        check_header(module)?;
        let mut text = Vec::new();
        let mut found = false;
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.map_err(|error| invalid(&error))?;
            let Payload::CustomSection(section) = payload else { continue };
            if section.name() == MANIFEST_SECTION {
                found = true;
                let found = text.len().saturating_add(section.data().len());
                if found > bytes_max {
                    let exceeded = CapExceeded::of_key("manifest_bytes_max", bytes_max, found, None);
                    return Err(Refusal::TooLarge(exceeded));
                }
                text.extend_from_slice(section.data());
            }
        }
        if !found {
            return Err(Refusal::NoManifest);
        }
        ModuleManifest::parse(&text)
    }

    /// The function of this name.
    pub fn function(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.iter().find(|function| function.name == name)
    }

    fn parse(text: &[u8]) -> Result<ModuleManifest, Refusal> {
        let text = std::str::from_utf8(text)
            .map_err(|_| Refusal::Manifest { line: 1, reason: "the section is not UTF-8".to_owned() })?;
        let mut functions: Vec<Arc<Function>> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let at_line = |reason: String| Refusal::Manifest { line: index + 1, reason };
            let raw: RawFunction = serde_json::from_str(line).map_err(|error| at_line(clean(&error.to_string())))?;
            let function = raw.validate().map_err(at_line)?;
            if functions.iter().any(|other| other.name == function.name) {
                return Err(at_line(format!("function `{}` is declared twice", function.name)));
            }
            if functions.len() == FUNCTIONS_MAX {
                return Err(at_line(format!("too many functions: the maximum is {FUNCTIONS_MAX}")));
            }
            functions.push(Arc::new(function));
        }
        if functions.is_empty() {
            return Err(Refusal::Manifest { line: 1, reason: "the manifest declares no function".to_owned() });
        }
        Ok(ModuleManifest { functions })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFunction {
    abi: u64,
    name: String,
    kind: String,
    output_shape: Option<String>,
    #[serde(default)]
    fallible: bool,
    state: Option<String>,
    #[serde(default)]
    doc: String,
    #[serde(default)]
    input: Vec<RawField>,
    #[serde(default)]
    output: Vec<RawField>,
    #[serde(default)]
    params: Vec<RawParam>,
    #[serde(default)]
    metrics: Vec<RawMetric>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    r#type: String,
    #[serde(default)]
    nullable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParam {
    name: String,
    r#type: String,
    default: Option<serde_json::Value>,
    #[serde(default)]
    help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetric {
    name: String,
    kind: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    buckets: Vec<f64>,
}

// Errors below are reasons; `ModuleManifest::parse` adds the line.
impl RawFunction {
    fn validate(self) -> Result<Function, String> {
        if self.abi != u64::from(ABI_VERSION) {
            return Err(format!("unsupported abi {}: this host supports version {ABI_VERSION}", self.abi));
        }
        check_word("function", &self.name)?;
        let kind = match (self.kind.as_str(), self.output_shape.as_deref()) {
            ("metrics", None) => FunctionKind::Metrics,
            ("metrics", Some(_)) => return Err("a metrics function has no `output_shape`: remove it".to_owned()),
            ("transform", None) => return Err(format!("a transform needs an `output_shape`: {SHAPES}")),
            ("transform", Some(name)) => {
                let shape = OutputShape::ALL.into_iter().find(|shape| shape.name() == name);
                let unknown = || format!("unknown output_shape `{}`: use {SHAPES}", clean(name));
                FunctionKind::Transform(shape.ok_or_else(unknown)?)
            }
            (other, _) => return Err(format!("unknown kind `{}`: use transform or metrics", clean(other))),
        };
        let state = match self.state.as_deref() {
            None => FunctionState::Unknown,
            Some("kept") => FunctionState::Kept,
            Some("none") => FunctionState::None,
            Some(other) => return Err(format!("unknown state `{}`: use kept or none", clean(other))),
        };
        for (what, len, most) in [
            ("input fields", self.input.len(), ITEMS_MAX),
            ("output fields", self.output.len(), ITEMS_MAX),
            ("params", self.params.len(), ITEMS_MAX),
            ("metrics", self.metrics.len(), METRICS_MAX),
        ] {
            if len > most {
                return Err(format!("{len} {what}: a function may declare at most {most}"));
            }
        }
        let input = self.input.into_iter().map(input_field).collect::<Result<Vec<_>, _>>()?;
        let output = self.output.into_iter().map(output_field).collect::<Result<Vec<_>, _>>()?;
        match kind {
            FunctionKind::Metrics | FunctionKind::Transform(OutputShape::Filter) if !output.is_empty() => {
                return Err(format!("a {} writes no fields: leave `output` empty", kind_noun(kind)));
            }
            FunctionKind::Transform(OutputShape::Map | OutputShape::FilterMap | OutputShape::FlatMap)
                if output.is_empty() =>
            {
                return Err(format!("a {} writes at least one field: list them in `output`", kind.name()));
            }
            _ => {}
        }
        if kind == FunctionKind::Metrics && self.metrics.is_empty() {
            return Err("a metrics function records at least one metric: list them in `metrics`".to_owned());
        }
        let params = self.params.into_iter().map(param).collect::<Result<Vec<_>, _>>()?;
        let metrics = self.metrics.into_iter().map(metric).collect::<Result<Vec<_>, _>>()?;
        unique("input field", input.iter().map(|field| &*field.name))?;
        unique("output field", output.iter().map(|field| &*field.name))?;
        unique("param", params.iter().map(|param| param.name.as_str()))?;
        unique("metric", metrics.iter().map(|metric| metric.name.as_str()))?;
        let (name, fallible, doc) = (self.name, self.fallible, self.doc);
        Ok(Function { name, kind, fallible, state, doc, input, output, params, metrics })
    }
}

const SHAPES: &str = "filter, map, filter_map or flat_map";

fn kind_noun(kind: FunctionKind) -> &'static str {
    if kind == FunctionKind::Metrics { "metrics function" } else { "filter" }
}

fn input_field(raw: RawField) -> Result<Field, String> {
    let data_type = data_type(&raw)?;
    if raw.name.starts_with('_') {
        let Some(system) = SystemColumn::from_name(&raw.name) else {
            let names = SystemColumn::ALL.map(SystemColumn::name).join(", ");
            return Err(format!("input field `{}`: the system columns are {names}", clean(&raw.name)));
        };
        if !accepts(data_type, system.data_type()) {
            return Err(format!("input field `{}` is declared {data_type}: it is {}", raw.name, system.data_type()));
        }
    } else {
        check_field("input field", &raw.name)?;
    }
    Ok(Field::with_nulls(raw.name, data_type, raw.nullable))
}

fn output_field(raw: RawField) -> Result<Field, String> {
    let data_type = data_type(&raw)?;
    if raw.name.starts_with('_') {
        return Err(format!("output field `{}`: names that begin with `_` are reserved", clean(&raw.name)));
    }
    check_field("output field", &raw.name)?;
    Ok(Field::with_nulls(raw.name, data_type, raw.nullable))
}

fn data_type(raw: &RawField) -> Result<DataType, String> {
    raw.r#type.parse::<DataType>().map_err(|reason| format!("field `{}`: {}", clean(&raw.name), clean(&reason)))
}

fn param(raw: RawParam) -> Result<Param, String> {
    let RawParam { name, r#type, default, help } = raw;
    check_field("param", &name)?;
    let kind = ParamType::ALL.into_iter().find(|kind| kind.name() == r#type);
    let unknown = || format!("parameter `{name}`: unknown type `{}`: use bool, i64, f64 or utf8", clean(&r#type));
    let kind = kind.ok_or_else(unknown)?;
    let default = match default {
        None => None,
        Some(json) => {
            let value = match &json {
                serde_json::Value::Bool(value) => Some(ParamValue::Bool(*value)),
                serde_json::Value::Number(number) => {
                    number.as_i64().map(ParamValue::I64).or_else(|| number.as_f64().map(ParamValue::F64))
                }
                serde_json::Value::String(text) => Some(ParamValue::Utf8(text.clone())),
                _ => None,
            };
            let value = value.and_then(|value| kind.accept(&value));
            Some(value.ok_or_else(|| format!("parameter `{name}`: its default is not {kind}"))?)
        }
    };
    Ok(Param { name, kind, default, help })
}

fn metric(raw: RawMetric) -> Result<Metric, String> {
    let RawMetric { name, kind, unit, help, labels, buckets } = raw;
    check_word("metric", &name)?;
    let found = MetricKind::ALL.into_iter().find(|candidate| candidate.name() == kind);
    let unknown = || format!("metric `{name}`: unknown kind `{}`: use counter, gauge or histogram", clean(&kind));
    let kind = found.ok_or_else(unknown)?;
    if labels.len() > LABELS_MAX {
        return Err(format!("metric `{name}`: {} labels: the maximum is {LABELS_MAX}", labels.len()));
    }
    for label in &labels {
        check_word("label", label)?;
    }
    unique("label", labels.iter().map(String::as_str))?;
    let ascending = buckets.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || buckets.iter().any(|bound| !bound.is_finite()) {
        return Err(format!("metric `{name}`: buckets must be ascending, finite upper bounds"));
    }
    match kind {
        MetricKind::Histogram if buckets.is_empty() || buckets.len() > BUCKETS_MAX => {
            Err(format!("metric `{name}`: a histogram has 1 to {BUCKETS_MAX} buckets"))
        }
        MetricKind::Counter | MetricKind::Gauge if !buckets.is_empty() => {
            Err(format!("metric `{name}`: a {kind} has no buckets: remove them"))
        }
        _ => Ok(Metric { name, kind, unit, help, labels, buckets }),
    }
}

/// `[a-z][a-z0-9_]*`, at most 64 bytes.
fn check_word(what: &str, name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let holds = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if starts && holds && name.len() <= NAME_LEN_MAX {
        Ok(())
    } else {
        Err(format!("{what} `{}`: a name is [a-z][a-z0-9_]*, at most {NAME_LEN_MAX} bytes", clean(name)))
    }
}

/// Names of fields and parameters: any text without control characters.
fn check_field(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_LEN_MAX || name.chars().any(char::is_control) {
        return Err(format!(
            "{what} `{}`: a name is 1 to {NAME_LEN_MAX} bytes without control characters",
            clean(name)
        ));
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("{what} `{name}` is declared twice"));
        }
    }
    Ok(())
}
