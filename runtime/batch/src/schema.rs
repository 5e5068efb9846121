//! Names and types of a batch's columns.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes as arrow_types;

use crate::{BatchError, DataType, TimestampUnit};

/// The name, type and nullability of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Field {
    /// The name, unique in its schema. Names that begin with `_` are reserved for system columns.
    pub name: Arc<str>,
    /// The type.
    pub data_type: DataType,
    /// Whether values may be null.
    pub nullable: bool,
}

impl Field {
    /// A field whose values are never null.
    pub fn new(name: impl Into<Arc<str>>, data_type: DataType) -> Field {
        Field { name: name.into(), data_type, nullable: false }
    }

    /// A field whose values may be null.
    pub fn nullable(name: impl Into<Arc<str>>, data_type: DataType) -> Field {
        Field { name: name.into(), data_type, nullable: true }
    }

    /// A field whose values may be null where `nullable` says so.
    pub fn with_nulls(name: impl Into<Arc<str>>, data_type: DataType, nullable: bool) -> Field {
        Field { name: name.into(), data_type, nullable }
    }
}

/// `delay i64`, or `delay i64?` if the field is nullable.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", weir_text::escape(&self.name), self.data_type, if self.nullable { "?" } else { "" })
    }
}

/// The fields of a batch, in order. Created once by a source or stage and shared by its batches.
#[derive(Clone, Debug)]
pub struct Schema {
    // Names are unique, checked by `new`; nothing changes them afterwards.
    fields: Vec<Field>,
    // The index of each field by name, if there are too many fields for a linear search.
    by_name: HashMap<Arc<str>, usize>,
    // The units of numbers, by field index, for fields that have one.
    number_units: HashMap<usize, TimestampUnit>,
}

/// From this number of fields on, lookups use the map.
const LOOKED_THROUGH: usize = 16;

/// Schemas are equal if their fields are equal. Units of numbers in text formats do not count.
impl PartialEq for Schema {
    fn eq(&self, other: &Schema) -> bool {
        self.fields == other.fields
    }
}

impl Eq for Schema {}

impl Schema {
    /// A schema of these fields.
    ///
    /// # Errors
    ///
    /// Two fields with the same name, or a name that is empty, longer than 64 bytes or begins with `_`.
    pub fn new(fields: Vec<Field>) -> Result<Schema, BatchError> {
        let mut names = HashSet::with_capacity(fields.len());
        for field in &fields {
            let reason = match &*field.name {
                "" => Some("it is empty"),
                name if name.len() > 64 => Some("it is longer than 64 bytes"),
                name if name.starts_with('_') => Some("names that begin with `_` are reserved"),
                name if name.chars().any(char::is_control) => Some("it contains a control character"),
                _ => None,
            };
            if let Some(reason) = reason {
                let name = weir_text::escape_to(&field.name, 80);
                return Err(BatchError::FieldName { name, reason });
            }
            if !names.insert(&field.name) {
                return Err(BatchError::DuplicateField { name: field.name.to_string() });
            }
        }
        let by_name = match fields.len() < LOOKED_THROUGH {
            true => HashMap::new(),
            false => fields.iter().enumerate().map(|(index, field)| (Arc::clone(&field.name), index)).collect(),
        };
        Ok(Schema { fields, by_name, number_units: HashMap::new() })
    }

    /// The same schema, with units for the numbers that JSON and CSV contain for the `timestamp` fields at these positions. Without
    /// a unit, numbers are whole microseconds.
    #[must_use]
    pub fn with_number_units(mut self, units: impl IntoIterator<Item = (usize, TimestampUnit)>) -> Schema {
        self.number_units.extend(units);
        self
    }

    /// The first field with a unit for numbers, and the unit.
    pub fn first_number_unit(&self) -> Option<(&Field, TimestampUnit)> {
        let index = self.number_units.keys().min()?;
        self.fields.get(*index).zip(self.number_unit(*index))
    }

    /// The unit of numbers for the field at this position, if one was set.
    pub fn number_unit(&self, index: usize) -> Option<TimestampUnit> {
        self.number_units.get(&index).copied()
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The position of the field with this name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        match self.by_name.is_empty() {
            true => self.fields.iter().position(|field| &*field.name == name),
            false => self.by_name.get(name).copied(),
        }
    }

    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.index_of(name).and_then(|index| self.fields.get(index))
    }

    /// The same as an Arrow schema.
    pub fn to_arrow(&self) -> arrow_types::SchemaRef {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|field| arrow_types::Field::new(&*field.name, field.data_type.to_arrow(), field.nullable))
            .collect();
        Arc::new(arrow_types::Schema::new(fields))
    }

    /// The Weir schema for columns of this Arrow schema: see [`crate::Batch::from_arrow`].
    ///
    /// # Errors
    ///
    /// A type that is not supported, or names that [`Schema::new`] refuses.
    pub fn from_arrow(schema: &arrow_types::Schema) -> Result<Schema, BatchError> {
        let fields = schema
            .fields()
            .iter()
            .map(|field| {
                Ok(Field {
                    name: field.name().as_str().into(),
                    data_type: crate::normalise::carried_as(field.name(), field.data_type())?,
                    nullable: field.is_nullable(),
                })
            })
            .collect::<Result<_, BatchError>>()?;
        Schema::new(fields)
    }
}

/// `origin utf8, delay i64?`.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{field}")?;
        }
        Ok(())
    }
}
