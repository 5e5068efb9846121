//! Infers schemas of files.

use std::collections::HashMap;
use std::fs::File;

use super::json_text::{Json, Value};
use super::projection::FileField;
use super::widening::Widening;
use super::{
    CsvOptions, Format, FormatError, Inferred, LeftOut, arrow_ipc, bincode, foreign, infer_csv, json_lines, parquet,
};
use weir_batch::{BatchError, Field, Schema};

/// The schema of a file according to [`infer`].
///
/// # Errors
///
/// The errors of [`infer`], and a column of a Parquet or Arrow file that cannot be read.
pub fn infer_schema(format: Format, file: File, rows_max: usize) -> Result<Schema, FormatError> {
    match format {
        // A column that cannot be read must be left out explicitly, by declaring the others.
        Format::Parquet | Format::ArrowIpc => {
            let fields = fields_of(format, file)?.iter().map(FileField::carried).collect::<Result<_, _>>()?;
            Ok(Schema::new(fields)?)
        }
        _ => infer(format, file, rows_max).map(|inferred| inferred.schema),
    }
}

/// The schema of a file: the one in the file, or one inferred from the first `rows_max` records (at most 64 MiB).
///
/// An inferred schema has only nullable fields, and fits every record of the sample: the type of a field is the narrowest that fits
/// all of its values: `bool`, `i64`, `f64`, for CSV `timestamp`, otherwise `utf8`. Later records may not fit; they are then bad
/// records. Text in JSON stays `utf8`, including dates and times. A field with only nulls in the sample becomes `utf8`. JSON fields
/// with lists or objects are left out, and so are fields with invalid names.
///
/// # Errors
///
/// A file that cannot be read, or a sample without records or without a readable field.
pub fn infer(format: Format, file: File, rows_max: usize) -> Result<Inferred, FormatError> {
    foreign::refuse_file(format, &file)?;
    match format {
        Format::Parquet | Format::ArrowIpc => readable(&fields_of(format, file)?),
        Format::Bincode => bincode::schema_of(file).map(Inferred::of_schema),
        Format::JsonLines => infer_json(file, rows_max.max(1)),
        Format::Csv => infer_csv(file, rows_max, &CsvOptions::default()),
    }
}

/// The fields of JSON records, in the order of their first appearance.
#[derive(Default)]
struct Keys {
    // With the number of the last record that had the field; bad records count.
    fields: Vec<(String, Widening, usize)>,
    by_name: HashMap<String, usize>,
    looked_at: usize,
    records: usize,
}

fn infer_json(file: File, rows_max: usize) -> Result<Inferred, FormatError> {
    let mut keys = Keys::default();
    json_lines::sample(file, rows_max, |record| keys.see(record))?;
    let not_inferable = |reason: String| FormatError::NotInferable { format: Format::JsonLines, reason };
    if keys.records == 0 {
        return Err(not_inferable("it contains no JSON object".to_owned()));
    }
    let mut fields = Vec::with_capacity(keys.fields.len());
    let (mut seen, mut left_out) = (Vec::with_capacity(keys.fields.len()), Vec::new());
    for (name, widening, _) in keys.fields {
        let reason = match widening.data_type() {
            None => "it contains lists or objects".to_owned(),
            Some(data_type) => match Schema::new(vec![Field::nullable(name.as_str(), data_type)]) {
                Ok(_) => {
                    fields.push(Field::nullable(name, data_type));
                    seen.push(widening);
                    continue;
                }
                Err(error) => error.to_string(),
            },
        };
        left_out.push(LeftOut { name, reason });
    }
    if fields.is_empty() {
        let reasons = left_out.iter().take(3).map(|LeftOut { name, reason }| {
            let name = weir_text::escape_to(name, 60);
            format!("`{name}`: {reason}")
        });
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        return Err(not_inferable(match left_out.is_empty() {
            true => "its objects have no fields".to_owned(),
            false => format!("none of its fields can be read: {reasons}"),
        }));
    }
    Ok(Inferred { schema: Schema::new(fields)?, left_out, seen })
}

impl Keys {
    /// Adds a record to the sample, unless it is a bad record.
    fn see(&mut self, record: &[u8]) {
        let Ok(mut json) = Json::new(record) else { return };
        let mut entries: Vec<(usize, Value<'_>)> = Vec::new();
        let mut scratch = String::new();
        let known = self.fields.len();
        self.looked_at += 1;
        let number = self.looked_at;
        let read = json.object(|json, key| {
            let key = key.text(&mut scratch);
            let index = match self.by_name.get(key) {
                Some(&index) => index,
                None => {
                    self.by_name.insert(key.to_owned(), self.fields.len());
                    self.fields.push((key.to_owned(), Widening::default(), 0));
                    self.fields.len() - 1
                }
            };
            let last = &mut self.fields[index].2;
            if std::mem::replace(last, number) == number {
                return Err("twice".to_owned());
            }
            entries.push((index, json.value()?));
            Ok(())
        });
        if read.is_err() {
            // Fields that only this record has are not in any readable record.
            for (name, _, _) in self.fields.drain(known..) {
                self.by_name.remove(&name);
            }
            return;
        }
        self.records += 1;
        for (index, value) in entries {
            self.fields[index].1.see_json(&value);
        }
    }
}

fn fields_of(format: Format, file: File) -> Result<Vec<FileField>, FormatError> {
    match format {
        Format::Parquet => parquet::fields_of(&file),
        _ => arrow_ipc::fields_of(file),
    }
}

/// The columns that a query can read, and the others: columns with an unsupported type, an invalid name, or a repeated name.
fn readable(fields: &[FileField]) -> Result<Inferred, FormatError> {
    let mut times = HashMap::<&str, usize>::new();
    for field in fields {
        *times.entry(&field.name).or_default() += 1;
    }
    let (mut readable, mut left_out) = (Vec::new(), Vec::new());
    for field in fields {
        let doubled = times.get(field.name.as_str()).is_some_and(|&times| times > 1);
        let allowed = |field: Field| Schema::new(vec![field.clone()]).map(|_| field);
        let carried = match doubled {
            true => Err("more than one column has this name".to_owned()),
            false => field.carried().and_then(allowed).map_err(|error| match error {
                BatchError::UnsupportedType { found, .. } => format!("type {found} is not supported"),
                BatchError::FieldName { reason, .. } => reason.to_owned(),
                error => weir_text::brief(&error),
            }),
        };
        match carried {
            Ok(field) => readable.push(field),
            Err(reason) => left_out.push(LeftOut { name: field.name.clone(), reason }),
        }
    }
    Ok(Inferred { left_out, ..Inferred::of_schema(Schema::new(readable)?) })
}
