//! The columns of a Parquet file as Arrow types. Nested and unknown columns are described, but never read.

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use ::parquet::arrow::parquet_to_arrow_schema;
use ::parquet::basic::{ConvertedType, Repetition, Type as Physical};
use ::parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};
use ::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema, TimeUnit};

use super::budget::corrupt;
use super::ipc_reader::schema_of_message;
use super::projection::FileField;
use super::{Format, FormatError};
use weir_text::brief;

/// The key under which Arrow writers store what Parquet's own types cannot express.
const ARROW_SCHEMA_KEY: &str = "ARROW:schema";

/// A top-level column or group of the file's schema.
pub(super) struct Root {
    parquet: TypePtr,
    // The index of its first leaf column in the file.
    leaf: usize,
    data_type: Result<ArrowType, String>,
}

/// A column that is read.
pub(super) struct Column {
    pub(super) name: String,
    /// The index among the file's leaf columns.
    pub(super) leaf: usize,
    parquet: TypePtr,
    // The type for reading: texts and bytes are read as views, which share the values of a dictionary.
    read_as: ArrowField,
    // Text that the library does not check to be UTF-8.
    unchecked: bool,
}

impl Root {
    pub(super) fn all(metadata: &ParquetMetaData) -> Vec<Root> {
        let descriptor = metadata.file_metadata().schema_descr();
        let hints = hints(metadata);
        let mut leaves = (0..descriptor.num_columns()).peekable();
        let roots = descriptor.root_schema().get_fields().iter().enumerate();
        roots
            .map(|(index, parquet)| {
                let leaf = leaves.peek().copied().unwrap_or(usize::MAX);
                while leaves.next_if(|&leaf| descriptor.get_column_root_idx(leaf) == index).is_some() {}
                let hint = hints.as_ref().and_then(|hints| hints.fields().get(index));
                let hint = hint.filter(|hint| hint.name() == parquet.name()).map(|hint| hint.data_type());
                let data_type = arrow_type(parquet).map(|found| hinted(parquet, found, hint));
                Root { parquet: Arc::clone(parquet), leaf, data_type }
            })
            .collect()
    }

    pub(super) fn field(&self) -> FileField {
        FileField {
            name: self.parquet.name().to_owned(),
            nullable: optional(&self.parquet),
            data_type: self.data_type.clone(),
        }
    }

    /// How the column is read, if Weir supports its type.
    pub(super) fn column(&self) -> Result<Column, FormatError> {
        let name = self.parquet.name().to_owned();
        let unsupported = |reason: &str| corrupt(Format::Parquet, format!("column `{name}`: {reason}"));
        if !self.parquet.is_primitive() {
            return Err(unsupported("it is a group"));
        }
        let data_type = self.data_type.as_ref().map_err(|error| unsupported(error))?;
        let byte_array = self.parquet.get_physical_type() == Physical::BYTE_ARRAY;
        let stored = arrow_type(&self.parquet).map_err(|error| unsupported(&error))?;
        let read_as = match &stored {
            ArrowType::Utf8 if byte_array => ArrowType::Utf8View,
            ArrowType::Binary if byte_array => ArrowType::BinaryView,
            _ => data_type.clone(),
        };
        let text = matches!(stored, ArrowType::Utf8);
        let unchecked = text && self.parquet.get_basic_info().converted_type() != ConvertedType::UTF8;
        let read_as = ArrowField::new(&name, read_as, optional(&self.parquet));
        Ok(Column { name, leaf: self.leaf, parquet: Arc::clone(&self.parquet), read_as, unchecked })
    }
}

impl Column {
    /// The size of a value during reading, if the pages state `found` for the largest.
    pub(super) fn value_bytes(&self, found: u64) -> u64 {
        match self.parquet.get_physical_type() {
            // A view, besides the page to which it points.
            Physical::BYTE_ARRAY => found.saturating_add(16),
            Physical::FIXED_LEN_BYTE_ARRAY => self.type_length(),
            _ => 8,
        }
    }

    pub(super) fn type_length(&self) -> u64 {
        match &*self.parquet {
            Type::PrimitiveType { type_length, .. } => u64::try_from(*type_length).unwrap_or(0),
            Type::GroupType { .. } => 0,
        }
    }

    /// Converts text that nobody has checked to bytes; it is checked during the later conversion.
    pub(super) fn bytes_unless_checked(&self, values: &ArrayRef) -> ArrayRef {
        match values.as_string_view_opt().filter(|_| self.unchecked) {
            Some(texts) => Arc::new(texts.clone().to_binary_view()),
            None => Arc::clone(values),
        }
    }
}

/// The metadata reduced to these columns, in their order: the library processes everything that it gets.
pub(super) fn only(metadata: &ParquetMetaData, columns: &[Column]) -> Result<ArrowReaderMetadata, FormatError> {
    let schema = descriptor(columns.iter().map(|column| Arc::clone(&column.parquet)).collect())
        .map_err(|reason| corrupt(Format::Parquet, reason))?;
    let schema = Arc::new(schema);
    let mut groups = Vec::with_capacity(metadata.row_groups().len());
    for group in metadata.row_groups() {
        let chunks = columns.iter().map(|column| {
            let chunk = group.columns().get(column.leaf).cloned();
            chunk.ok_or_else(|| corrupt(Format::Parquet, format!("a row group without the column `{}`", column.name)))
        });
        let group = RowGroupMetaData::builder(Arc::clone(&schema))
            .set_num_rows(group.num_rows())
            .set_column_metadata(chunks.collect::<Result<_, _>>()?)
            .build();
        groups.push(group.map_err(FormatError::read_parquet)?);
    }
    let file = metadata.file_metadata();
    let file = FileMetaData::new(file.version(), file.num_rows(), None, None, schema, None);
    let fields = columns.iter().map(|column| column.read_as.clone()).collect::<Vec<_>>();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(ArrowSchema::new(fields)));
    ArrowReaderMetadata::try_new(Arc::new(ParquetMetaData::new(file, groups)), options)
        .map_err(FormatError::read_parquet)
}

fn descriptor(fields: Vec<TypePtr>) -> Result<SchemaDescriptor, String> {
    let group = Type::group_type_builder("schema").with_fields(fields).build().map_err(|error| brief(&error))?;
    Ok(SchemaDescriptor::new(Arc::new(group)))
}

fn optional(parquet: &Type) -> bool {
    let info = parquet.get_basic_info();
    !info.has_repetition() || info.repetition() != Repetition::REQUIRED
}

/// The Arrow type for a Parquet type.
fn arrow_type(parquet: &TypePtr) -> Result<ArrowType, String> {
    let descriptor = descriptor(vec![Arc::clone(parquet)])?;
    let schema = parquet_to_arrow_schema(&descriptor, None).map_err(|error| brief(&error))?;
    schema.fields().first().map(|field| field.data_type().clone()).ok_or_else(|| "no columns".to_owned())
}

/// The type, refined by what the Arrow writer stored if it matters to Weir. INT96 is read as microseconds, because nanoseconds
/// cover only the years 1677 to 2262.
fn hinted(parquet: &Type, found: ArrowType, hint: Option<&ArrowType>) -> ArrowType {
    if parquet.is_primitive() && parquet.get_physical_type() == Physical::INT96 {
        return ArrowType::Timestamp(TimeUnit::Microsecond, None);
    }
    let hint = match hint {
        Some(ArrowType::Dictionary(_, values)) => Some(&**values),
        hint => hint,
    };
    match (&found, hint) {
        (ArrowType::Int32 | ArrowType::Int64, Some(hint @ ArrowType::Timestamp(_, _)))
        | (ArrowType::Int64 | ArrowType::Date32, Some(hint @ ArrowType::Date64)) => hint.clone(),
        (ArrowType::Binary, Some(ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View)) => ArrowType::Utf8,
        _ => found,
    }
}

/// The Arrow schema that the writer stored. Parquet's schema has precedence, so an invalid Arrow schema is ignored.
fn hints(metadata: &ParquetMetaData) -> Option<ArrowSchema> {
    use base64::Engine;
    let entries = metadata.file_metadata().key_value_metadata()?;
    let entry = entries.iter().find(|entry| entry.key == ARROW_SCHEMA_KEY)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(entry.value.as_ref()?).ok()?;
    // A message with its length, or an old one without it.
    let message = bytes.strip_prefix(&[0xff; 4]).and_then(|rest| rest.get(4..)).unwrap_or(&bytes);
    schema_of_message(message).ok()
}
