//! How a function says which rows it answers.

use crate::{Function, FunctionKind, OutputShape};

/// How a function says which rows it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Not at all: row for row.
    None,
    /// A bit for each input row.
    Bitmap,
    /// A parent for each output row.
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
