//! How a function relates output rows to input rows.

use crate::{Function, FunctionKind, OutputShape};

/// How a function relates output rows to input rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// No relation: one output row per input row.
    None,
    /// One bit per input row.
    Bitmap,
    /// One parent per output row.
    Parents,
}

impl Relation {
    pub(crate) fn of(function: &Function) -> Relation {
        match function.kind {
            FunctionKind::Metrics => Relation::None,
            FunctionKind::Transform(OutputShape::Map) if !function.fallible => Relation::None,
            FunctionKind::Transform(OutputShape::Filter | OutputShape::Map | OutputShape::FilterMap) => {
                Relation::Bitmap
            }
            FunctionKind::Transform(OutputShape::FlatMap) => Relation::Parents,
        }
    }
}
