//! Inferred schemas.

use std::sync::Arc;

use super::widening::Widening;
use weir_batch::{Field, Schema};

/// The fields of a file that can be read, and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The readable fields.
    pub schema: Schema,
    /// The other fields, in their order.
    pub left_out: Vec<LeftOut>,
    // The observed values of each field, if the schema was inferred from values.
    pub(super) seen: Vec<Widening>,
}

impl Inferred {
    /// For a file that contains this schema.
    pub fn of_schema(schema: Schema) -> Inferred {
        Inferred { schema, left_out: Vec::new(), seen: Vec::new() }
    }

    /// A schema that fits both files, if they have the same fields: inferred from the values of both, or wide enough for both
    /// types. Fields that are left out are ignored.
    pub fn with(&self, other: &Inferred) -> Option<Inferred> {
        let (one, two) = (self.schema.fields(), other.schema.fields());
        if one.len() != two.len() || one.iter().zip(two).any(|(one, two)| one.name != two.name) {
            return None;
        }
        let inferred = self.seen.len() == one.len() && other.seen.len() == two.len();
        let seen = self.seen.iter().zip(&other.seen).filter(|_| inferred).map(|(one, two)| one.with(two));
        let seen: Vec<Widening> = seen.collect();
        let fields = one.iter().zip(two).enumerate().map(|(index, (one, two))| {
            let data_type = match seen.get(index) {
                Some(seen) => seen.data_type()?,
                None => one.data_type.widened(two.data_type)?,
            };
            Some(Field::with_nulls(Arc::clone(&one.name), data_type, one.nullable || two.nullable))
        });
        let schema = Schema::new(fields.collect::<Option<Vec<_>>>()?).ok()?;
        Some(Inferred { schema, left_out: self.left_out.clone(), seen })
    }
}

/// A field that cannot be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The name in the file.
    pub name: String,
    /// The reason.
    pub reason: String,
}
