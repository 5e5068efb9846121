//! Apache Parquet. Read one page at a time, so that memory does not grow with the file; written in row groups of about 16 MiB with
//! Snappy compression.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{ChunkReader, Length};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema};

use super::budget::{EXPANDED_BYTES_MAX, corrupt, within};
use super::counting_writer::{ByteCounter, CountingWriter};
use super::guard::guarded;
use super::narrow::decoded_piece;
use super::parquet_columns::{Column, Root, only};
use super::parquet_pages::{self, Chunk, Needs, ratio_max};
use super::pieces::Pieces;
use super::place::{self, PlaceAt, ResumePlace};
use super::projection::{FileField, Projection};
use super::row_bytes::fixed_bytes;
use super::{Decoded, Decoder, Encoder, Fill, Format, FormatError, parquet_footer, utc};
use weir_batch::{Batch, Schema};

/// A row group is closed at this size, which bounds the memory of the writer, and is the unit that a reader can skip.
const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// The number of rows according to a Parquet file's footer. Reads only the footer.
///
/// # Errors
///
/// A file that is not Parquet, or is damaged.
pub fn parquet_rows(file: File) -> Result<u64, FormatError> {
    let length = file.metadata()?.len();
    let file = Arc::new(file);
    guarded(Format::Parquet, || {
        let metadata = parquet_footer::read(&file, length)?;
        let rows = metadata.file_metadata().num_rows();
        u64::try_from(rows).map_err(|_| corrupt(Format::Parquet, "a negative number of rows"))
    })
}

pub(super) struct ParquetDecoder {
    file: CountedFile,
    // Only for the columns that are read.
    metadata: ArrowReaderMetadata,
    projection: Projection,
    // For each field of the schema, its column in the file.
    columns: Vec<Column>,
    fill: Fill,
    next_group: usize,
    // The number of the first record of the open group, or of the next group if none is open.
    group_record: i64,
    // The number of rows of the next group to skip.
    skip: u64,
    // The number of rows that the open row group still has to return: a column that ends early is damaged.
    group: Option<(ParquetRecordBatchReader, u64)>,
    pieces: Option<Pieces>,
    next_offset: i64,
    read: ByteCounter,
    reported: u64,
}

impl ParquetDecoder {
    pub(super) fn new(file: File, declared: Option<&Arc<Schema>>, fill: Fill) -> Result<Self, FormatError> {
        let read = ByteCounter::default();
        let file = CountedFile { length: file.metadata()?.len(), file: Arc::new(file), read: read.clone() };
        guarded(Format::Parquet, || {
            let metadata = parquet_footer::read(&file.file, file.length)?;
            let roots = Root::all(&metadata);
            let fields: Vec<FileField> = roots.iter().map(Root::field).collect();
            let projection = Projection::new(&fields, declared)?;
            let used = projection.positions().iter().filter_map(|&position| roots.get(position));
            let columns: Vec<Column> = used.map(Root::column).collect::<Result<_, _>>()?;
            let metadata = only(&metadata, &columns)?;
            Ok(ParquetDecoder {
                file,
                metadata,
                projection,
                columns,
                fill,
                next_group: 0,
                group_record: 0,
                skip: 0,
                group: None,
                pieces: None,
                next_offset: 0,
                read,
                reported: 0,
            })
        })
    }

    /// Opens the next row group; false if no group is left.
    fn open_group(&mut self) -> Result<bool, FormatError> {
        let Some(group) = self.metadata.metadata().row_groups().get(self.next_group) else { return Ok(false) };
        let rows = group_rows(group)?;
        let skip = std::mem::take(&mut self.skip).min(rows);
        let mut needs = Vec::with_capacity(self.columns.len());
        for column in group.columns() {
            let chunk = self.chunk(column, rows)?;
            needs.push((chunk, parquet_pages::scan(&self.file.file, &chunk)?));
        }
        check_memory(&needs)?;
        // Reading a page again is not progress.
        let file = Arc::new(CountedFile { read: ByteCounter::default(), ..self.file.clone() });
        for ((chunk, needs), column) in needs.iter_mut().zip(group.columns()) {
            if needs.look {
                *needs = parquet_pages::look(&file, column, chunk, *needs).map_err(FormatError::read_parquet)?;
            }
        }
        check_memory(&needs)?;
        // The number of rows per read is bounded by bytes, as far as the pages state sizes.
        let row_bytes = fixed_bytes(self.projection.schema());
        let values = self.columns.iter().zip(&needs).map(|(column, (_, needs))| column.value_bytes(needs.value_bytes));
        let row_bytes = values.fold(row_bytes, u64::saturating_add);
        let rows_at_once =
            (self.fill.bytes_max as u64 / row_bytes.max(1)).clamp(1, self.fill.records_max.max(1) as u64);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
            .with_row_groups(vec![self.next_group])
            .with_offset(skip as usize) // fewer than the group has
            .with_batch_size(rows_at_once as usize) // at most `records_max`
            .build();
        self.group = Some((reader.map_err(FormatError::read_parquet)?, rows - skip));
        self.group_record = self.next_offset.saturating_sub(skip as i64);
        self.next_group += 1;
        Ok(true)
    }

    /// The position of a column's pages, which must be in the file.
    fn chunk(&self, column: &ColumnChunkMetaData, rows: u64) -> Result<Chunk, FormatError> {
        let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let range = u64::try_from(start).ok().zip(u64::try_from(column.compressed_size()).ok());
        let range =
            range.filter(|&(start, length)| start.checked_add(length).is_some_and(|end| end <= self.file.length));
        let Some((start, length)) = range else {
            let (length, file) = (column.compressed_size(), self.file.length);
            return Err(corrupt(
                Format::Parquet,
                format!("a column of {length} bytes at {start}: the file has {file}"),
            ));
        };
        let descriptor = column.column_descr();
        Ok(Chunk {
            start,
            length,
            rows,
            physical: descriptor.physical_type(),
            type_length: u64::try_from(descriptor.type_length()).unwrap_or(0),
            optional: descriptor.max_def_level() > 0,
            ratio_max: ratio_max(column.compression()),
        })
    }

    /// The next rows of the file's reader, in the order of the schema.
    fn read_rows(&mut self) -> Result<Option<RecordBatch>, FormatError> {
        loop {
            let Some((reader, left)) = &mut self.group else {
                match self.open_group()? {
                    true => continue,
                    false => return Ok(None),
                }
            };
            let batch = match *left {
                0 => None,
                _ => reader.next().transpose().map_err(|error| FormatError::read(Format::Parquet, error))?,
            };
            let Some(batch) = batch else {
                if *left > 0 {
                    return Err(corrupt(Format::Parquet, format!("a row group that ends {left} rows too early")));
                }
                self.group = None;
                self.group_record = self.next_offset;
                continue;
            };
            let rows = batch.num_rows() as u64;
            *left = left.checked_sub(rows).ok_or_else(|| {
                corrupt(Format::Parquet, format!("a row group has {rows} rows, but only {left} are left"))
            })?;
            return self.columns_of(&batch).map(Some);
        }
    }

    fn columns_of(&self, batch: &RecordBatch) -> Result<RecordBatch, FormatError> {
        let columns =
            self.columns.iter().zip(batch.columns()).map(|(column, array)| column.bytes_unless_checked(array));
        let columns: Vec<ArrayRef> = columns.collect();
        let fields = self.columns.iter().zip(&columns);
        let fields = fields.map(|(column, array)| ArrowField::new(&column.name, array.data_type().clone(), true));
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| FormatError::read(Format::Parquet, error))
    }
}

fn group_rows(group: &RowGroupMetaData) -> Result<u64, FormatError> {
    u64::try_from(group.num_rows()).map_err(|_| corrupt(Format::Parquet, "a row group with a negative number of rows"))
}

/// Checks that a page of each column and the dictionaries fit into memory together.
fn check_memory(needs: &[(Chunk, Needs)]) -> Result<(), FormatError> {
    let bytes = needs.iter().flat_map(|(_, needs)| [needs.dictionary_bytes, needs.page_bytes]);
    let bytes = bytes.fold(0, u64::saturating_add);
    let what = "a page of each column that is read, with the dictionaries,";
    within(Format::Parquet, what, bytes, EXPANDED_BYTES_MAX, "read fewer columns, or write it with smaller pages")
}

/// The columns of a Parquet file.
pub(super) fn fields_of(file: &File) -> Result<Vec<FileField>, FormatError> {
    let length = file.metadata()?.len();
    guarded(Format::Parquet, || {
        let metadata = parquet_footer::read(file, length)?;
        Ok(Root::all(&metadata).iter().map(Root::field).collect())
    })
}

impl Decoder for ParquetDecoder {
    fn schema(&self) -> &Arc<Schema> {
        self.projection.schema()
    }

    fn place(&self) -> Option<ResumePlace> {
        // A group whose rows were all returned is finished.
        let given = self.group.as_ref().is_none_or(|(_, left)| *left == 0);
        let given = given && self.pieces.as_ref().is_none_or(Pieces::is_empty);
        let open = self.group.is_some() || self.pieces.is_some();
        Some(match open && !given {
            true => {
                let group = self.next_group.saturating_sub(1) as u64;
                ResumePlace { record: self.group_record, at: PlaceAt::RowGroup(group) }
            }
            false => ResumePlace { record: self.next_offset, at: PlaceAt::RowGroup(self.next_group as u64) },
        })
    }

    fn resume(&mut self, place: &ResumePlace, next: i64) -> Result<(), FormatError> {
        let PlaceAt::RowGroup(group) = place.at else {
            return Err(place::refused(Format::Parquet, "it belongs to another format"));
        };
        let groups = self.metadata.metadata().row_groups();
        let before = usize::try_from(group).ok().and_then(|group| groups.get(..group));
        let Some(before) = before else {
            let reason = format!("row group {group} is beyond the {} of the file", groups.len());
            return Err(place::refused(Format::Parquet, reason));
        };
        let mut rows = 0_u64;
        for group in before {
            rows = rows.saturating_add(group_rows(group)?);
        }
        if u64::try_from(place.record) != Ok(rows) {
            let reason = format!("row group {group} begins with record {rows}, not {}", place.record);
            return Err(place::refused(Format::Parquet, reason));
        }
        let rows = groups.get(before.len()).map(group_rows).transpose()?.unwrap_or(0);
        self.skip = u64::try_from(next.saturating_sub(place.record)).unwrap_or(0).min(rows);
        self.next_group = before.len();
        self.group_record = place.record;
        self.next_offset = place.record.saturating_add(self.skip as i64);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let piece = loop {
            if let Some(piece) = self.pieces.as_mut().and_then(|pieces| pieces.next(&self.fill)) {
                break piece;
            }
            self.pieces = None;
            let Some(rows) = guarded(Format::Parquet, || self.read_rows())? else { return Ok(None) };
            self.pieces = Some(Pieces::new(rows));
        };
        let first = self.next_offset;
        self.next_offset = first.saturating_add(piece.rows() as i64);
        let read = self.read.get();
        let bytes_read = read - std::mem::replace(&mut self.reported, read);
        guarded(Format::Parquet, || decoded_piece(self.projection.schema(), piece, first, bytes_read, &self.fill))
            .map(Some)
    }
}

/// A file that counts all reads, and refuses to read beyond its end: a damaged file may state any length.
#[derive(Clone)]
struct CountedFile {
    file: Arc<File>,
    length: u64,
    read: ByteCounter,
}

impl Length for CountedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for CountedFile {
    type T = CountedRead;

    fn get_read(&self, start: u64) -> Result<CountedRead, ParquetError> {
        Ok(CountedRead { inner: self.file.get_read(start)?, read: self.read.clone() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            let text = format!("{length} bytes at {start} of a file of {} bytes", self.length);
            return Err(ParquetError::EOF(text));
        }
        self.read.add(length);
        self.file.get_bytes(start, length)
    }
}

/// Sequential reads of a [`CountedFile`].
struct CountedRead {
    inner: BufReader<File>,
    read: ByteCounter,
}

impl Read for CountedRead {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.read.add(read);
        Ok(read)
    }
}

pub(super) struct ParquetEncoder<W: Write + Send> {
    writer: ArrowWriter<CountingWriter<W>>,
}

impl<W: Write + Send> ParquetEncoder<W> {
    pub(super) fn new(schema: &Schema, writer: CountingWriter<W>) -> Result<Self, FormatError> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(writer, utc::schema(schema), Some(properties));
        Ok(ParquetEncoder { writer: writer.map_err(FormatError::write_parquet)? })
    }
}

impl<W: Write + Send> Encoder for ParquetEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        if batch.columns().is_empty() {
            let reason = "records without fields cannot be stored in this format".to_owned();
            return Err(FormatError::Encode { format: Format::Parquet, reason });
        }
        self.writer.write(&utc::batch(batch)?).map_err(FormatError::write_parquet)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush().map_err(FormatError::write_parquet)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        self.writer.flush().map_err(FormatError::write_parquet)?;
        Ok(self.writer.inner_mut().flush()?)
    }

    fn bytes_written(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        self.writer.finish().map_err(FormatError::write_parquet)?;
        Ok(self.writer.inner_mut().flush()?)
    }
}
