//! Decodes single records, for sources whose records are messages.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, BooleanArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;

use super::csv_grammar::{Cut, Scan};
use super::csv_row::{CsvLayout, Reused};
use super::csv_values::ColumnBuilder;
use super::json_rows::{JsonColumns, JsonRows};
use super::{CsvOptions, FormatError, bincode};
use weir_batch::{Batch, BatchError, DataType, Schema};

/// The format of a single record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RecordFormat {
    /// One JSON object.
    #[default]
    JsonLines,
    /// One CSV record without a header, with the fields in the order of the schema: see [`RecordDecoder::csv`].
    Csv,
    /// One [`super::bincode::Frame::Record`] without its length, with the values in the order of the schema.
    Bincode,
    /// The value of the only field, unchanged.
    Raw,
}

impl RecordFormat {
    /// All formats.
    pub const ALL: [RecordFormat; 4] =
        [RecordFormat::JsonLines, RecordFormat::Csv, RecordFormat::Bincode, RecordFormat::Raw];

    /// The name in query files.
    pub const fn name(self) -> &'static str {
        match self {
            RecordFormat::JsonLines => "json_lines",
            RecordFormat::Csv => "csv",
            RecordFormat::Bincode => "bincode",
            RecordFormat::Raw => "raw",
        }
    }

    /// Why records of this schema cannot be decoded in this format: a raw record has one field, of bytes or text.
    pub fn refuses(self, schema: &Schema) -> Option<String> {
        let fits = |data_type| matches!(data_type, DataType::Binary | DataType::Utf8);
        match (self, schema.fields()) {
            (RecordFormat::Raw, [field]) if fits(field.data_type) => None,
            (RecordFormat::Raw, [field]) => {
                Some(format!("a raw value must be binary or utf8, not {}", field.data_type))
            }
            (RecordFormat::Raw, fields) => {
                Some(format!("a raw value has one field, but {} are declared", fields.len()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for RecordFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Decodes records that are complete by themselves, as [`super::RecordEncoder`] encodes them. Owned by one source; holds no
/// records.
#[derive(Debug)]
pub struct RecordDecoder {
    format: RecordFormat,
    schema: Arc<Schema>,
    // For CSV records.
    csv: CsvLayout,
}

/// Decoded records.
#[derive(Debug)]
#[non_exhaustive]
pub struct DecodedRecords {
    /// The valid records, in their order, without system columns.
    pub batch: Batch,
    /// The bad records, ascending by row, with their errors.
    pub bad: Vec<(usize, String)>,
}

fn kept(rows: usize, bad: &[(usize, String)]) -> BooleanBuffer {
    BooleanBuffer::collect_bool(rows, |row| bad.binary_search_by_key(&row, |(row, _)| *row).is_err())
}

/// The message about a record without a value.
const TOMBSTONE: &str = "the value is null (a tombstone)";

impl RecordDecoder {
    /// A decoder for records of this schema.
    ///
    /// # Errors
    ///
    /// A schema that [`RecordFormat::refuses`] refuses.
    pub fn new(format: RecordFormat, schema: Arc<Schema>) -> Result<RecordDecoder, FormatError> {
        match format.refuses(&schema) {
            Some(reason) => Err(FormatError::Header { reason }),
            None => {
                let csv = CsvLayout::of_schema(&CsvOptions::default(), &schema);
                Ok(RecordDecoder { format, schema, csv })
            }
        }
    }

    /// A decoder for CSV records, one per value: one line, or several lines if line ends are quoted. A line end after the record is
    /// ignored. No value is a header or a comment, or begins with a byte order mark. An empty value is a null if the schema has one
    /// field that is nullable.
    ///
    /// The fields of a record are in the order of the schema or, with `header`, in the order of the header of the file from which
    /// the records came.
    ///
    /// # Errors
    ///
    /// Options that [`CsvOptions::validate`] refuses, and a field that the header lacks or repeats.
    pub fn csv(
        schema: Arc<Schema>,
        options: &CsvOptions,
        header: Option<&[String]>,
    ) -> Result<RecordDecoder, FormatError> {
        options.validate()?;
        let csv = match header {
            Some(header) => CsvLayout::of_header(options, header, &schema)?,
            None => CsvLayout::of_schema(options, &schema),
        };
        Ok(RecordDecoder { format: RecordFormat::Csv, schema, csv })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Decodes records, one per value of `values`. Raw records share the bytes of `values`.
    ///
    /// # Errors
    ///
    /// More bytes than Arrow's arrays can hold. Errors of single records are in the result.
    pub fn decode(&self, values: &BinaryArray) -> Result<DecodedRecords, FormatError> {
        match self.format {
            RecordFormat::JsonLines => self.json(values),
            RecordFormat::Csv => {
                let mut reused = Reused::default();
                self.rows(values, |bytes, columns| self.csv_record(bytes, columns, &mut reused))
            }
            RecordFormat::Bincode => {
                self.rows(values, |bytes, columns| bincode::push_record(bytes, &self.schema, columns))
            }
            RecordFormat::Raw => self.raw(values),
        }
    }

    fn raw(&self, values: &BinaryArray) -> Result<DecodedRecords, FormatError> {
        let mut bad = Vec::new();
        let Some(field) = self.schema.fields().first() else {
            return Err(FormatError::Header { reason: "a raw value has one field".to_owned() });
        };
        let utf8 = field.data_type == DataType::Utf8;
        for row in 0..values.len() {
            if values.is_null(row) {
                if !field.nullable {
                    bad.push((row, TOMBSTONE.to_owned()));
                }
            } else if utf8 && let Err(error) = std::str::from_utf8(values.value(row)) {
                bad.push((row, format!("not UTF-8 from byte {} on", error.valid_up_to())));
            }
        }
        let mut kept_values: ArrayRef = Arc::new(values.clone());
        if !bad.is_empty() {
            kept_values =
                filter(values, &BooleanArray::new(kept(values.len(), &bad), None)).map_err(BatchError::from)?;
        }
        if utf8 {
            let binary = kept_values.as_any().downcast_ref::<BinaryArray>().cloned();
            let binary = binary.unwrap_or_else(|| BinaryArray::from_vec(Vec::new()));
            kept_values = Arc::new(StringArray::try_from_binary(binary).map_err(BatchError::from)?);
        }
        let rows = kept_values.len();
        Ok(DecodedRecords { batch: Batch::with_rows(Arc::clone(&self.schema), vec![kept_values], rows)?, bad })
    }

    fn json(&self, values: &BinaryArray) -> Result<DecodedRecords, FormatError> {
        let mut rows = JsonRows::new(&self.schema);
        for row in 0..values.len() {
            match values.is_valid(row) {
                true => rows.push(values.value(row)),
                false => rows.push_bad(TOMBSTONE.to_owned()),
            }
        }
        let JsonColumns { columns, rows, bad } = rows.finish()?;
        Ok(DecodedRecords { batch: Batch::with_rows(Arc::clone(&self.schema), columns, rows)?, bad })
    }

    /// Decodes record by record. The partial row of a bad record is completed, and removed later.
    fn rows(
        &self,
        values: &BinaryArray,
        mut push: impl FnMut(&[u8], &mut [ColumnBuilder]) -> Result<(), String>,
    ) -> Result<DecodedRecords, FormatError> {
        let mut columns = ColumnBuilder::of_schema(&self.schema);
        let mut bad = Vec::new();
        for row in 0..values.len() {
            let pushed = match values.is_valid(row) {
                true => push(values.value(row), &mut columns),
                false => Err(TOMBSTONE.to_owned()),
            };
            if let Err(message) = pushed {
                columns.iter_mut().filter(|column| column.len() == row).for_each(ColumnBuilder::push_null);
                bad.push((row, message));
            }
        }
        let mut arrays: Vec<_> = columns.iter_mut().map(ColumnBuilder::finish).collect();
        let rows = values.len() - bad.len();
        if !bad.is_empty() {
            let keep = BooleanArray::new(kept(values.len(), &bad), None);
            for array in &mut arrays {
                *array = filter(array, &keep).map_err(BatchError::from)?;
            }
        }
        Ok(DecodedRecords { batch: Batch::with_rows(Arc::clone(&self.schema), arrays, rows)?, bad })
    }

    fn csv_record(&self, bytes: &[u8], columns: &mut [ColumnBuilder], reused: &mut Reused) -> Result<(), String> {
        let mut scan = Scan::default();
        let record = match scan.advance(self.csv.options().dialect(), bytes, true) {
            Cut::End { end, next } if next == bytes.len() => bytes.get(..end).unwrap_or_default(),
            Cut::End { .. } | Cut::More => return Err("the value must be one CSV record, but contains more".to_owned()),
            Cut::Fault(fault) => return Err(fault.message(scan.lines)),
        };
        self.csv.push(record, &self.schema, columns, reused)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use expect_test::{Expect, expect};

    use super::super::{Format, RecordEncoder};
    use super::*;
    use weir_batch::Field;

    fn schema() -> Arc<Schema> {
        Arc::new(
            Schema::new(vec![Field::nullable("name", DataType::Utf8), Field::new("delay", DataType::I64)]).unwrap(),
        )
    }

    fn check(format: RecordFormat, schema: Arc<Schema>, values: &[Option<&[u8]>], expect: &Expect) {
        let decoder = RecordDecoder::new(format, schema).unwrap();
        let decoded = decoder.decode(&BinaryArray::from_opt_vec(values.to_vec())).unwrap();
        let bad: String = decoded.bad.iter().map(|(row, message)| format!("\n{row}: {message}")).collect();
        expect.assert_eq(&format!("{}{bad}", decoded.batch));
        assert_eq!(decoded.batch.rows() + decoded.bad.len(), values.len());
    }

    #[test]
    fn json_objects() {
        check(
            RecordFormat::JsonLines,
            schema(),
            &[
                Some(b"{\"name\":\"SEA\",\"delay\":61}"),
                None,
                Some(b"{\n  \"delay\": 5,\n  \"more\": [1]\n}\n"),
                Some(b"{\"delay\":\"soon\"}"),
                Some(b"{\"delay\":1}{\"delay\":2}"),
                Some(b""),
                Some(b"7"),
                Some(b"\xff"),
                Some(b"{\"delay\":7}"),
            ],
            &expect![[r#"
                +------+-------+
                | name | delay |
                +------+-------+
                | SEA  | 61    |
                |      | 5     |
                |      | 7     |
                +------+-------+
                1: the value is null (a tombstone)
                3: field `delay`: `soon` is not an i64
                4: not JSON: expected the end of the record at byte 12, found `{`
                5: not JSON: it ends at byte 0, expected a value
                6: not an object: a record must be a JSON object
                7: not UTF-8 from byte 1 on"#]],
        );
    }

    #[test]
    fn lines_of_csv() {
        check(
            RecordFormat::Csv,
            schema(),
            &[
                Some(b"SEA,61"),
                Some(b"\"a, \"\"b\"\"\nc\",5\r\n"),
                None,
                Some(b",7"),
                Some(b"SEA,"),
                Some(b"SEA"),
                Some(b"SEA,1\nLAX,2"),
                Some(b"\"SEA,1"),
                Some(b""),
            ],
            &expect![[r#"
                +--------+-------+
                | name   | delay |
                +--------+-------+
                | SEA    | 61    |
                | a, "b" | 5     |
                | c      |       |
                |        | 7     |
                +--------+-------+
                2: the value is null (a tombstone)
                4: field `delay`: it is empty, but the field is not nullable
                5: found 1 fields, but the schema has 2
                6: the value must be one CSV record, but contains more
                7: a quote opens on this line and is never closed
                8: found 1 fields, but the schema has 2"#]],
        );
    }

    #[test]
    fn raw_values() {
        let binary = |nullable| Field::with_nulls("value", DataType::Binary, nullable);
        let one = |field| Arc::new(Schema::new(vec![field]).unwrap());
        let values: &[Option<&[u8]>] = &[Some(b"\xff"), None, Some(b"")];
        check(
            RecordFormat::Raw,
            one(binary(true)),
            values,
            &expect![[r#"
            +-------+
            | value |
            +-------+
            | ff    |
            |       |
            |       |
            +-------+"#]],
        );
        check(
            RecordFormat::Raw,
            one(binary(false)),
            values,
            &expect![[r#"
            +-------+
            | value |
            +-------+
            | ff    |
            |       |
            +-------+
            1: the value is null (a tombstone)"#]],
        );
        check(
            RecordFormat::Raw,
            one(Field::nullable("value", DataType::Utf8)),
            values,
            &expect![[r#"
            +-------+
            | value |
            +-------+
            |       |
            |       |
            +-------+
            0: not UTF-8 from byte 0 on"#]],
        );
        let values = BinaryArray::from_opt_vec(vec![Some(b"a"), Some(b"b")]);
        let decoder = RecordDecoder::new(RecordFormat::Raw, one(binary(true))).unwrap();
        let decoded = decoder.decode(&values).unwrap();
        let column = decoded.batch.column(0).as_any().downcast_ref::<BinaryArray>().unwrap();
        assert_eq!(column.value_data().as_ptr(), values.value_data().as_ptr(), "bytes are shared");
    }

    #[test]
    fn what_the_encoder_writes_comes_back() {
        let names = StringArray::from(vec![Some("SEA"), Some("a \"b\", c\nd"), None]);
        let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(Int64Array::from(vec![61, 5, -1]))];
        let batch = Batch::new(schema(), columns).unwrap();
        for (format, written) in [
            (RecordFormat::JsonLines, Format::JsonLines),
            (RecordFormat::Csv, Format::Csv),
            (RecordFormat::Bincode, Format::Bincode),
        ] {
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            RecordEncoder::new(written, &schema()).unwrap().encode(&batch, &mut bytes, &mut ends).unwrap();
            let mut begin = 0;
            let values = ends.iter().map(|&end| Some(&bytes[std::mem::replace(&mut begin, end)..end]));
            let values = BinaryArray::from_opt_vec(values.collect());
            let decoded = RecordDecoder::new(format, schema()).unwrap().decode(&values).unwrap();
            assert_eq!(decoded.batch.to_string(), batch.to_string(), "{format}");
            assert_eq!(decoded.bad, []);
        }
    }

    #[test]
    fn values_that_are_no_bincode() {
        let record = |values| {
            let bytes = ::bincode::encode_to_vec(bincode::Frame::Record(values), ::bincode::config::standard());
            bytes.unwrap()
        };
        use super::super::bincode::Value::{I64, Null, Utf8};
        let good = record(vec![Null, I64(5)]);
        let mut long = good.clone();
        long.push(0);
        check(
            RecordFormat::Bincode,
            schema(),
            &[
                Some(&good),
                Some(&long),
                Some(&record(vec![Utf8("SEA"), Null])),
                Some(&record(vec![Utf8("SEA"), Utf8("5")])),
                Some(&record(vec![Null])),
                Some(b"\x01\xfd\xff\xff\xff\xff\xff\xff\xff\xff"),
                Some(b"{}"),
                None,
            ],
            &expect![[r#"
                +------+-------+
                | name | delay |
                +------+-------+
                |      | 5     |
                +------+-------+
                1: the value contains more than one record
                2: field `delay` is null, but is not nullable
                3: field `delay`: a value does not have the type of its field: Utf8("5")
                4: found 1 values, but 2 fields are declared
                5: LimitExceeded
                6: UnexpectedVariant { type_name: "Frame", allowed: Range { min: 0, max: 2 }, found: 123 }
                7: the value is null (a tombstone)"#]],
        );
    }

    #[test]
    fn schemas_of_raw_values() {
        let refused = |fields| RecordFormat::Raw.refuses(&Schema::new(fields).unwrap());
        assert_eq!(refused(vec![Field::new("a", DataType::Utf8)]), None);
        assert_eq!(
            refused(vec![Field::new("a", DataType::I64)]).unwrap(),
            "a raw value must be binary or utf8, not i64"
        );
        let two = vec![Field::new("a", DataType::Utf8), Field::new("b", DataType::Utf8)];
        assert_eq!(refused(two).unwrap(), "a raw value has one field, but 2 are declared");
    }
}
