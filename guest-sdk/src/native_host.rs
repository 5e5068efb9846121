//! Records, parameters and results in memory, in place of a host.

/// A value of a column, or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(u8),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    F64(f64),
    Bytes(Vec<u8>),
}

impl Value {
    /// A null reads as empty.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Value::Null => &[],
            Value::Bytes(bytes) => bytes,
            other => panic!("{other:?} read as bytes"),
        }
    }

    /// The value as a double; `None` for a null.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Null => None,
            Value::I8(value) => Some((*value).into()),
            Value::I16(value) => Some((*value).into()),
            Value::I32(value) => Some((*value).into()),
            Value::I64(value) => Some(*value as f64),
            Value::F64(value) => Some(*value),
            other => panic!("{other:?} read as a number"),
        }
    }
}

/// A batch and its results.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) columns: Vec<Vec<Value>>,
    pub(crate) params: Vec<Value>,
    pub(crate) kept: Vec<bool>,
    pub(crate) parents: Vec<u32>,
    pub(crate) output: Vec<Vec<Value>>,
    pub(crate) row_errors: Vec<(u32, i32, String)>,
    /// The metric and label values of each handle.
    pub(crate) series: Vec<(u32, Vec<u8>)>,
    /// Handles and values, in the order of recording.
    pub(crate) records: Vec<(u32, f64)>,
    pub(crate) log: Vec<String>,
}

impl Host {
    pub(crate) fn value(&self, column: u32, row: u32) -> &Value {
        &self.columns[column as usize][row as usize]
    }

    pub(crate) fn param(&self, param: u32) -> &Value {
        &self.params[param as usize]
    }

    pub(crate) fn emit(&mut self, field: u32, values: impl Iterator<Item = Value>) {
        let field = field as usize;
        if self.output.len() <= field {
            self.output.resize(field + 1, Vec::new());
        }
        self.output[field].extend(values);
    }

    pub(crate) fn series(&mut self, metric: u32, labels: &[u8]) -> u32 {
        let found = self.series.iter().position(|(m, l)| *m == metric && l == labels);
        let index = found.unwrap_or_else(|| {
            self.series.push((metric, labels.to_vec()));
            self.series.len() - 1
        });
        index as u32
    }
}
