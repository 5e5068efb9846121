//! Infers the types of the columns of a CSV file.

use std::collections::HashMap;
use std::fs::File;

use super::csv::read_header;
use super::csv_grammar::{FieldSpan, split};
use super::input::Input;
use super::records::Records;
use super::widening::Widening;
use super::{CsvOptions, Fill, Format, FormatError, Inferred, LeftOut, foreign};
use weir_batch::{DataType, Field, Schema};

/// The names in a file's header, in order; `None` if the file is empty. The names can be any text.
///
/// # Errors
///
/// A header that breaks the grammar or is not UTF-8, and a file that cannot be read.
pub fn csv_header(file: File, options: &CsvOptions) -> Result<Option<Vec<String>>, FormatError> {
    options.validate()?;
    let mut records = Records::new(Input::new(file, None), options.dialect(), Fill::RECORD_BYTES_MAX);
    read_header(&mut records, options, &mut 0)
}

/// Like [`super::infer`], for a CSV file with options. Columns are left out if their names are not valid for fields, or occur
/// twice.
///
/// # Errors
///
/// The errors of [`super::infer`], and options without a header.
pub fn infer_csv(file: File, rows_max: usize, options: &CsvOptions) -> Result<Inferred, FormatError> {
    foreign::refuse_file(Format::Csv, &file)?;
    options.validate()?;
    let not_inferable = |reason: &str| FormatError::NotInferable { format: Format::Csv, reason: reason.to_owned() };
    if !options.header {
        return Err(not_inferable("it has no header: declare the fields in `schema`"));
    }
    let dialect = options.dialect();
    let mut records = Records::new(Input::new(file, None), dialect, Fill::RECORD_BYTES_MAX);
    let header = read_header(&mut records, options, &mut 0)?.ok_or_else(|| not_inferable("it is empty"))?;
    let mut widenings = vec![Widening::default(); header.len()];
    let (mut fields, mut scratch): (Vec<FieldSpan>, Vec<u8>) = Default::default();
    let mut sampled = 0;
    while sampled < rows_max.max(1) {
        let Some(chunk) = records.next(rows_max.max(1) - sampled)? else { break };
        sampled += chunk.spans.len();
        for span in chunk.spans.iter().filter(|span| span.fault.is_none()) {
            let record = chunk.bytes.get(span.range.clone()).unwrap_or_default();
            // Records whose length differs from the header's are bad under every schema.
            if split(record, dialect, header.len(), &mut fields) != Ok(header.len()) {
                continue;
            }
            for (field, widening) in fields.iter().zip(&mut widenings) {
                let value = field.text(record, dialect, &mut scratch);
                if value.is_empty() || !field.quoted && options.is_null(value) {
                    continue;
                }
                // Text that is not UTF-8 is bad for every type.
                if let Ok(text) = std::str::from_utf8(value) {
                    widening.see_text(text);
                }
            }
        }
    }
    let mut times: HashMap<&str, usize> = HashMap::with_capacity(header.len());
    header.iter().for_each(|name| *times.entry(name).or_default() += 1);
    let (mut fields, mut left_out) = (Vec::with_capacity(header.len()), Vec::new());
    let mut seen = Vec::with_capacity(header.len());
    for (name, widening) in header.iter().zip(widenings) {
        let field = Field::nullable(name.as_str(), widening.data_type().unwrap_or(DataType::Utf8));
        let reason = match times.get(name.as_str()) {
            Some(1) => Schema::new(vec![field.clone()]).err().map(|error| error.to_string()),
            _ => Some("it occurs in the header more than once".to_owned()),
        };
        match reason {
            None => {
                fields.push(field);
                seen.push(widening);
            }
            Some(reason) => left_out.push(LeftOut { name: name.clone(), reason }),
        }
    }
    if fields.is_empty() {
        return Err(not_inferable("none of its columns has a valid field name"));
    }
    Ok(Inferred { schema: Schema::new(fields)?, left_out, seen })
}
