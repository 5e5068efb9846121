//! Fields that were found in a file.

use std::sync::Arc;

use super::widening::Widening;
use weir_batch::{Field, Schema};

/// The fields of a file, as far as they can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// Those that can.
    pub schema: Schema,
    /// Those that cannot, in their order.
    pub left_out: Vec<LeftOut>,
    // Of each field, what its values say, where the schema was inferred from them.
    pub(super) seen: Vec<Widening>,
}

impl Inferred {
    /// Of a file that carries this schema.
    pub fn of_schema(schema: Schema) -> Inferred {
        Inferred { schema, left_out: Vec::new(), seen: Vec::new() }
    }

    /// What both files are read by, where they have the same fields: inferred from the values of both as if they were in one
    /// file, or wide enough for the types that both carry. What is left out is not looked at.
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
            Some(Field { name: Arc::clone(&one.name), data_type, nullable: one.nullable || two.nullable })
        });
        let schema = Schema::new(fields.collect::<Option<Vec<_>>>()?).ok()?;
        Some(Inferred { schema, left_out: self.left_out.clone(), seen })
    }
}

/// A field that cannot be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name, as the file has it.
    pub name: String,
    /// Why.
    pub reason: String,
}
