//! Matches a function's types with those of a stream, before anything runs.

use crate::Fault;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weir_batch::{BatchError, DataType, Field, Schema, SystemColumn};

use crate::function::accepts;
use crate::text::clean;
use crate::{Function, FunctionKind, OutputShape, ParamType, ParamValue};

/// The input columns that a transform's output keeps, in addition to the transform's own fields.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Carry {
    /// None.
    #[default]
    None,
    /// All, except those with the name of an output field.
    All,
    /// These.
    Fields(Vec<String>),
}

/// A function that fits a stream of records: with the columns for its input fields, the values of its parameters, and its output
/// schema. Plain data, created before anything runs, and shared by `Arc`.
#[derive(Clone, Debug)]
pub struct Bound {
    function: Arc<Function>,
    input: Arc<Schema>,
    output: Arc<Schema>,
    // One per input field of the function, in their order.
    sources: Vec<ColumnSource>,
    // Positions in `input` of the carried columns, ascending.
    carried: Vec<usize>,
    // One per parameter of the function, with its type.
    params: Vec<ParamValue>,
}

/// The source of an input field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// A column of the batch; the index is within the input schema.
    Column(usize),
    /// A system column.
    System(SystemColumn),
}

/// A reason why a function does not fit its place in a query.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The stream lacks a field that the function reads.
    #[error("`{function}` reads the field `{field}`, which does not exist{}: the stream has {has}", Nearest(.nearest))]
    MissingField {
        /// The function.
        function: String,
        /// The field it reads.
        field: String,
        /// A field of a similar name.
        nearest: Option<String>,
        /// The stream's fields.
        has: Names,
    },
    /// The field has another type.
    #[error("`{function}` reads `{field}` as {expected}, but in the stream it is {found}{}", Widening(*.expected))]
    FieldType {
        /// The function.
        function: String,
        /// The field.
        field: String,
        /// The type that the function reads.
        expected: DataType,
        /// The type in the stream.
        found: DataType,
    },
    /// The query sets a parameter that the function does not have.
    #[error("`{function}` has no parameter `{param}`{}: it has {has}", Nearest(.nearest))]
    UnknownParam {
        /// The function.
        function: String,
        /// The parameter given.
        param: String,
        /// A parameter of a similar name.
        nearest: Option<String>,
        /// The function's parameters.
        has: Names,
    },
    /// The query sets a parameter to a value of another type.
    #[error("parameter `{param}` of `{function}` is {expected}, but {value} is {found}")]
    ParamType {
        /// The function.
        function: String,
        /// The parameter.
        param: String,
        /// Its type.
        expected: ParamType,
        /// The type of the value given.
        found: ParamType,
        /// The value given.
        value: String,
    },
    /// The query does not set a parameter without a default.
    #[error("`{function}` requires the parameter `{param}` ({expected}), which has no default")]
    MissingParam {
        /// The function.
        function: String,
        /// The parameter.
        param: String,
        /// Its type.
        expected: ParamType,
    },
    /// A carried field does not exist in the stream.
    #[error("carry names the field `{field}`, which does not exist{}: the stream has {has}", Nearest(.nearest))]
    UnknownCarry {
        /// The field named.
        field: String,
        /// A field of a similar name.
        nearest: Option<String>,
        /// The stream's fields.
        has: Names,
    },
    /// A field is carried twice.
    #[error("carry names the field `{field}` twice")]
    CarryTwice {
        /// The field.
        field: String,
    },
    /// A carried field has the name of an output field.
    #[error("carry names the field `{field}`, but `{function}` also writes a field of this name: remove it from carry")]
    CarryClash {
        /// The function.
        function: String,
        /// The field.
        field: String,
    },
    /// Carried fields are listed for a function that keeps all columns anyway.
    #[error("`{function}` is a {kind}, which passes on all columns: remove carry")]
    CarryWithoutOutput {
        /// The function.
        function: String,
        /// Its kind.
        kind: FunctionKind,
    },
    /// The output fields are not a valid schema.
    #[error("the output of `{function}`: {reason}")]
    OutputSchema {
        /// The function.
        function: String,
        /// The reason.
        reason: String,
    },
}

impl BindError {
    /// Who has to act: the query and the function do not fit.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same query may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// The names of candidates, for a message; shows the first twenty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}`{name}`", if index > 0 { ", " } else { "" })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

struct Nearest<'a>(&'a Option<String>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " (did you mean `{name}`?)"),
            None => Ok(()),
        }
    }
}

struct Widening(DataType);

impl fmt::Display for Widening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            DataType::I64 => " (i8, i16 and i32 would be widened)",
            DataType::I32 => " (i8 and i16 would be widened)",
            DataType::I16 => " (i8 would be widened)",
            _ => "",
        })
    }
}

impl Function {
    /// Matches the function with a stream of this schema. Runs nothing.
    ///
    /// # Errors
    ///
    /// All errors, not only the first.
    pub fn bind(
        self: &Arc<Function>,
        input: &Arc<Schema>,
        carry: &Carry,
        params: &BTreeMap<String, ParamValue>,
    ) -> Result<Bound, Vec<BindError>> {
        let mut errors = Vec::new();
        let sources = self.bind_input(input, &mut errors);
        let carried = self.bind_carry(input, carry, &mut errors);
        let params = self.bind_params(params, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let output = match self.kind {
            FunctionKind::Metrics | FunctionKind::Transform(OutputShape::Filter) => Arc::clone(input),
            FunctionKind::Transform(_) => {
                let kept = carried.iter().filter_map(|&index| input.fields().get(index)).cloned();
                let fields = kept.chain(self.output.iter().cloned()).collect();
                let invalid = |error: BatchError| {
                    vec![BindError::OutputSchema { function: self.name.clone(), reason: error.to_string() }]
                };
                Arc::new(Schema::new(fields).map_err(invalid)?)
            }
        };
        Ok(Bound { function: Arc::clone(self), input: Arc::clone(input), output, sources, carried, params })
    }

    fn bind_input(&self, input: &Schema, errors: &mut Vec<BindError>) -> Vec<ColumnSource> {
        let mut sources = Vec::with_capacity(self.input.len());
        for field in &self.input {
            let (source, found) = if let Some(system) = SystemColumn::from_name(&field.name) {
                (ColumnSource::System(system), system.data_type())
            } else if let Some(index) = input.index_of(&field.name) {
                (ColumnSource::Column(index), input.fields()[index].data_type)
            } else {
                errors.push(BindError::MissingField {
                    function: self.name.clone(),
                    field: field.name.to_string(),
                    nearest: nearest(&field.name, names_of(input)),
                    has: Names(names_of(input).map(clean).collect()),
                });
                continue;
            };
            if accepts(field.data_type, found) {
                sources.push(source);
            } else {
                errors.push(BindError::FieldType {
                    function: self.name.clone(),
                    field: field.name.to_string(),
                    expected: field.data_type,
                    found,
                });
            }
        }
        sources
    }

    fn bind_carry(&self, input: &Schema, carry: &Carry, errors: &mut Vec<BindError>) -> Vec<usize> {
        let writes = |name: &str| self.output.iter().any(|field| &*field.name == name);
        let through = matches!(self.kind, FunctionKind::Metrics | FunctionKind::Transform(OutputShape::Filter));
        match carry {
            Carry::Fields(_) if through => {
                errors.push(BindError::CarryWithoutOutput { function: self.name.clone(), kind: self.kind });
                Vec::new()
            }
            Carry::None => Vec::new(),
            Carry::All => (0..input.len()).filter(|&index| !writes(&input.fields()[index].name)).collect(),
            Carry::Fields(names) => {
                let mut carried = Vec::with_capacity(names.len());
                for name in names {
                    match input.index_of(name) {
                        None => errors.push(BindError::UnknownCarry {
                            field: clean(name),
                            nearest: nearest(name, names_of(input)),
                            has: Names(names_of(input).map(clean).collect()),
                        }),
                        Some(index) if carried.contains(&index) => {
                            errors.push(BindError::CarryTwice { field: clean(name) });
                        }
                        Some(_) if writes(name) => {
                            errors.push(BindError::CarryClash { function: self.name.clone(), field: clean(name) });
                        }
                        Some(index) => carried.push(index),
                    }
                }
                carried.sort_unstable();
                carried
            }
        }
    }

    fn bind_params(&self, given: &BTreeMap<String, ParamValue>, errors: &mut Vec<BindError>) -> Vec<ParamValue> {
        let known = || self.params.iter().map(|param| param.name.as_str());
        for name in given.keys().filter(|name| !known().any(|known| known == name.as_str())) {
            errors.push(BindError::UnknownParam {
                function: self.name.clone(),
                param: clean(name),
                nearest: nearest(name, known()),
                has: Names(known().map(clean).collect()),
            });
        }
        let mut values = Vec::with_capacity(self.params.len());
        for param in &self.params {
            let value = match (given.get(&param.name), &param.default) {
                (Some(value), _) => param.kind.accept(value).ok_or_else(|| BindError::ParamType {
                    function: self.name.clone(),
                    param: param.name.clone(),
                    expected: param.kind,
                    found: value.param_type(),
                    value: clean(&value.to_string()),
                }),
                (None, Some(default)) => Ok(default.clone()),
                (None, None) => Err(BindError::MissingParam {
                    function: self.name.clone(),
                    param: param.name.clone(),
                    expected: param.kind,
                }),
            };
            match value {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            }
        }
        values
    }
}

impl Bound {
    /// The function.
    pub fn function(&self) -> &Arc<Function> {
        &self.function
    }

    /// The schema of its input batches.
    pub fn input_schema(&self) -> &Arc<Schema> {
        &self.input
    }

    /// The schema of its output: carried fields in the order of the input, then the function's own. For filters and metrics
    /// functions, the input schema.
    pub fn output_schema(&self) -> &Arc<Schema> {
        &self.output
    }

    /// The source of each input field, in their order.
    pub fn sources(&self) -> &[ColumnSource] {
        &self.sources
    }

    /// Positions in the input schema of the carried columns, ascending.
    pub fn carried_columns(&self) -> &[usize] {
        &self.carried
    }

    /// The carried fields.
    pub fn carried(&self) -> impl Iterator<Item = &Field> {
        self.carried.iter().filter_map(|&index| self.input.fields().get(index))
    }

    /// The value of each parameter, in their order.
    pub fn params(&self) -> &[ParamValue] {
        &self.params
    }
}

fn names_of(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| &*field.name)
}

/// The name that was probably meant.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    weir_text::nearest(name, candidates).map(clean)
}
