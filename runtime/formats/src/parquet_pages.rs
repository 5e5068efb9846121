//! Checks the pages of one Parquet column chunk before the library decodes them: always their headers, and their content where the
//! library allocates memory by it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, Type};
use ::parquet::column::page::{Page, PageReader};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::{ChunkReader, SerializedPageReader};

use super::budget::{DEFLATE_RATIO_MAX, LZ4_RATIO_MAX, SNAPPY_RATIO_MAX, ZSTD_RATIO_MAX, corrupt};
use super::delta;
use super::thrift::{Cursor, ThriftFault, ThriftKind};
use super::{Format, FormatError};

/// Page headers are short, but may contain the minimum and maximum value of a page.
const HEADER_READ_BYTES: usize = 512;
const HEADER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The common properties of all pages of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    /// The beginning of the first page.
    pub(super) start: u64,
    /// The size of all pages with their headers.
    pub(super) length: u64,
    /// The number of rows in the row group. Columns are flat, so no page has more values.
    pub(super) rows: u64,
    /// The stored type.
    pub(super) physical: Type,
    /// The length of a value, for types with a fixed length.
    pub(super) type_length: u64,
    /// Whether the column is nullable.
    pub(super) optional: bool,
    /// The maximum expansion of a stored byte.
    pub(super) ratio_max: u64,
}

/// The maximum expansion of a byte by this codec.
pub(super) fn ratio_max(codec: Compression) -> u64 {
    match codec {
        Compression::UNCOMPRESSED => 1,
        Compression::SNAPPY => SNAPPY_RATIO_MAX,
        Compression::GZIP(_) => DEFLATE_RATIO_MAX,
        Compression::LZ4 | Compression::LZ4_RAW => LZ4_RATIO_MAX,
        Compression::ZSTD(_) => ZSTD_RATIO_MAX,
        // The library is built without these codecs, and refuses them.
        Compression::LZO | Compression::BROTLI(_) => u64::MAX,
    }
}

/// The memory for reading a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The size of its dictionary.
    pub(super) dictionary_bytes: u64,
    /// The size of its largest data page.
    pub(super) page_bytes: u64,
    /// The average size of a value in its fullest page, without dictionaries.
    pub(super) value_bytes: u64,
    /// Whether the size is unknown without a [`look`] into the pages.
    pub(super) look: bool,
}

/// The relevant parts of a page header.
#[derive(Default)]
struct Header {
    kind: Option<i32>,
    expanded: Option<i32>,
    stored: Option<i32>,
    values: Option<i32>,
    encoding: Option<i32>,
}

const DATA: i32 = 0;
const DICTIONARY: i32 = 2;
const DATA_V2: i32 = 3;
const PLAIN_DICTIONARY: i32 = 2;
const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
const DELTA_BYTE_ARRAY: i32 = 7;
const RLE_DICTIONARY: i32 = 8;

/// The minimum size of a value of this type in a dictionary.
fn least_bytes(chunk: &Chunk) -> u64 {
    match chunk.physical {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => chunk.type_length.max(1),
    }
}

/// Reads the header of every page of a chunk. Checks that each page fits into the chunk, and that its counts fit its size.
pub(super) fn scan(file: &File, chunk: &Chunk) -> Result<Needs, FormatError> {
    let mut needs = Needs { look: chunk.physical == Type::INT96, ..Needs::default() };
    let (mut position, mut left) = (chunk.start, chunk.length);
    let mut rows = 0_u64;
    while left > 0 {
        let (header, header_bytes) = read_header(file, position, left)?;
        left -= header_bytes;
        position += header_bytes;
        let size = |size: Option<i32>| size.and_then(|size| u64::try_from(size).ok());
        let (Some(stored), Some(expanded)) = (size(header.stored), size(header.expanded)) else {
            return Err(corrupt(Format::Parquet, format!("a page without a size at {position}")));
        };
        if stored > left {
            return Err(corrupt(
                Format::Parquet,
                format!("a page has {stored} bytes, but only {left} are left in its column"),
            ));
        }
        // The library allocates the stated size.
        if expanded > stored.saturating_mul(chunk.ratio_max) {
            let reason = format!("a page of {stored} bytes is stated to expand to {expanded}");
            return Err(corrupt(Format::Parquet, reason));
        }
        left -= stored;
        position += stored;
        let values = match header.kind {
            Some(DATA | DATA_V2 | DICTIONARY) => size(header.values),
            // Pages of an unknown kind are skipped.
            _ => continue,
        };
        let Some(values) = values else {
            return Err(corrupt(Format::Parquet, format!("a page without a number of values before {position}")));
        };
        if header.kind == Some(DICTIONARY) {
            if values > expanded / least_bytes(chunk) {
                let reason = format!("a dictionary of {values} values in {expanded} bytes");
                return Err(corrupt(Format::Parquet, reason));
            }
            // A view of 16 bytes per value, for texts and bytes.
            needs.dictionary_bytes = needs.dictionary_bytes.saturating_add(expanded).saturating_add(values * 16);
            continue;
        }
        rows = rows.saturating_add(values);
        if rows > chunk.rows {
            let reason = format!("a column has more values than its row group has rows ({})", chunk.rows);
            return Err(corrupt(Format::Parquet, reason));
        }
        needs.page_bytes = needs.page_bytes.max(expanded);
        needs.look |= matches!(header.encoding, Some(DELTA_LENGTH_BYTE_ARRAY | DELTA_BYTE_ARRAY));
        if !matches!(header.encoding, Some(PLAIN_DICTIONARY | RLE_DICTIONARY)) {
            needs.value_bytes = needs.value_bytes.max(expanded.div_ceil(values.max(1)));
        }
    }
    if rows < chunk.rows {
        let reason = format!("a column has {rows} values in a row group of {} rows", chunk.rows);
        return Err(corrupt(Format::Parquet, reason));
    }
    Ok(needs)
}

/// The header at this position, and its length.
fn read_header(file: &File, position: u64, left: u64) -> Result<(Header, u64), FormatError> {
    let mut length = HEADER_READ_BYTES;
    loop {
        let whole = usize::try_from(left).is_ok_and(|left| left <= length);
        let mut bytes = vec![0; if whole { left as usize } else { length }];
        match file.read_exact_at(&mut bytes, position) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(corrupt(Format::Parquet, format!("it ends within the page at {position}")));
            }
            read => read?,
        }
        let mut cursor = Cursor::new(&bytes);
        match header(&mut cursor) {
            Ok(header) => return Ok((header, cursor.position() as u64)),
            Err(ThriftFault::Short) if !whole && length < HEADER_BYTES_MAX => length *= 8,
            Err(ThriftFault::Short) => {
                return Err(corrupt(Format::Parquet, format!("a page header at {position} that does not end")));
            }
            Err(ThriftFault::Invalid(reason)) => {
                return Err(corrupt(Format::Parquet, format!("the page header at {position}: {reason}")));
            }
        }
    }
}

fn header(cursor: &mut Cursor<'_>) -> Result<Header, ThriftFault> {
    let mut header = Header::default();
    let mut last = 0;
    while let Some(field) = cursor.field(last)? {
        last = field.id;
        match (field.id, field.kind) {
            (1, ThriftKind::Integer) => header.kind = Some(cursor.integer32()?),
            (2, ThriftKind::Integer) => header.expanded = Some(cursor.integer32()?),
            (3, ThriftKind::Integer) => header.stored = Some(cursor.integer32()?),
            // The headers of data pages of both versions, and of dictionary pages, begin with the number of values.
            (5 | 7 | 8, ThriftKind::Struct) => {
                let encoding_id = if field.id == 8 { 4 } else { 2 };
                let mut last = 0;
                while let Some(inner) = cursor.field(last)? {
                    last = inner.id;
                    match (inner.id, inner.kind) {
                        (1, ThriftKind::Integer) => header.values = Some(cursor.integer32()?),
                        (id, ThriftKind::Integer) if id == encoding_id => header.encoding = Some(cursor.integer32()?),
                        (_, kind) => cursor.skip(kind)?,
                    }
                }
            }
            (_, kind) => cursor.skip(kind)?,
        }
    }
    Ok(header)
}

/// Examines the pages of a chunk whose headers were checked, one at a time, if their content matters: delta encodings state counts
/// and repeat prefixes, and INT96 holds days that microseconds cannot hold.
pub(super) fn look<R: ChunkReader + 'static>(
    file: &Arc<R>,
    column: &ColumnChunkMetaData,
    chunk: &Chunk,
    needs: Needs,
) -> Result<Needs, ParquetError> {
    let mut needs = needs;
    let mut pages = SerializedPageReader::new(Arc::clone(file), column, chunk.rows as usize, None)?;
    while let Some(page) = pages.get_next_page()? {
        let expanded = expanded_bytes(&page, chunk)?;
        needs.page_bytes = needs.page_bytes.max(expanded);
        needs.value_bytes = needs.value_bytes.max(expanded.div_ceil(u64::from(page.num_values()).max(1)));
    }
    Ok(needs)
}

/// The size of a page's values, if it exceeds the size of the page.
fn expanded_bytes(page: &Page, chunk: &Chunk) -> Result<u64, ParquetError> {
    let (values, data) = match page {
        Page::DictionaryPage { buf, .. } => {
            check_days(buf, chunk)?;
            return Ok(0);
        }
        Page::DataPage { buf, num_values, def_level_encoding, .. } => {
            let levels = match (chunk.optional, def_level_encoding) {
                (false, _) => 0,
                (true, Encoding::RLE) => {
                    let length = buf.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
                    length.saturating_add(4)
                }
                // Packed: one bit per value.
                (true, _) => num_values.div_ceil(8) as usize,
            };
            (*num_values, buf.get(levels..))
        }
        Page::DataPageV2 { buf, num_values, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let levels = (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize);
            (*num_values, buf.get(levels..))
        }
    };
    let short = || ParquetError::General("a page that is shorter than its levels".to_owned());
    let data = data.ok_or_else(short)?;
    match page.encoding() {
        Encoding::PLAIN => check_days(data, chunk).map(|()| 0),
        Encoding::DELTA_LENGTH_BYTE_ARRAY => delta::lengths(data, u64::from(values)).map(|()| 0),
        Encoding::DELTA_BYTE_ARRAY => delta::shared_prefixes(data, u64::from(values)),
        _ => Ok(0),
    }
}

/// A day that a timestamp in microseconds cannot hold would change its value.
fn check_days(values: &[u8], chunk: &Chunk) -> Result<(), ParquetError> {
    // The years -290015 to 293954: the range of microseconds, less what the nanoseconds of a day may add.
    const DAYS: std::ops::RangeInclusive<i32> = -104_204_650..=109_085_825;
    if chunk.physical != Type::INT96 {
        return Ok(());
    }
    for value in values.chunks_exact(12) {
        let day = value.last_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
        if !DAYS.contains(&day) {
            let text = format!("an INT96 timestamp on Julian day {day} does not fit into microseconds");
            return Err(ParquetError::General(text));
        }
    }
    Ok(())
}
