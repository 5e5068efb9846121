//! Checks the lengths in an Arrow IPC message before the library reads its body, because the library allocates memory by them.
//!
//! <https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc>

use arrow::datatypes::{DataType, Field, UnionMode};
use arrow::ipc::{self, CompressionType, MetadataVersion};

use super::budget::{EXPANDED_BYTES_MAX, LZ4_RATIO_MAX, SCHEMA_DEPTH_MAX, ZSTD_RATIO_MAX, corrupt, within};
use super::{Format, FormatError};

/// The length before each compressed buffer: the length when decompressed, or a marker for an uncompressed buffer.
const PREFIX_BYTES: usize = 8;
const NOT_COMPRESSED: i64 = -1;
/// More rows than an array with 32-bit offsets can have.
const ROWS_MAX: i64 = i32::MAX as i64;

/// Options for verifying metadata: several references may share a target, so a small message could expand to a large one.
pub(super) fn verifier() -> flatbuffers::VerifierOptions {
    flatbuffers::VerifierOptions {
        // A field takes about three levels of tables and vectors.
        max_depth: 3 * SCHEMA_DEPTH_MAX,
        max_tables: 500_000,
        max_apparent_size: 256 * 1024 * 1024,
        ..Default::default()
    }
}

fn damaged(reason: impl ToString) -> FormatError {
    corrupt(Format::ArrowIpc, reason)
}

/// Refuses fields whose types are nested too deeply: the library recurses into types.
pub(super) fn check_depth(field: &Field) -> Result<(), FormatError> {
    let mut open = vec![(field.data_type(), 0)];
    while let Some((data_type, depth)) = open.pop() {
        if depth > SCHEMA_DEPTH_MAX {
            return Err(damaged(format!("a column is nested deeper than {SCHEMA_DEPTH_MAX}")));
        }
        open.extend(children(data_type).into_iter().map(|child| (child.data_type(), depth + 1)));
    }
    Ok(())
}

fn children(data_type: &DataType) -> Vec<&Field> {
    match data_type {
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => vec![child],
        DataType::Struct(fields) => fields.iter().map(|field| &**field).collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends, values],
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| &**field).collect(),
        _ => Vec::new(),
    }
}

/// The metadata of a record batch for each column, in the order of the schema.
struct Parts<'a> {
    nodes: usize,
    buffers: usize,
    counts: Box<dyn Iterator<Item = i64> + 'a>,
    version: MetadataVersion,
}

impl Parts<'_> {
    /// Skips the nodes and buffers of a field.
    fn pass(&mut self, field: &Field) -> Result<(), FormatError> {
        self.nodes += 1;
        self.buffers += match field.data_type() {
            DataType::Null | DataType::RunEndEncoded(_, _) => 0,
            DataType::Struct(_) | DataType::FixedSizeList(_, _) => 1,
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::ListView(_)
            | DataType::LargeListView(_) => 3,
            DataType::Utf8View | DataType::BinaryView => {
                let count = self.counts.next().and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|&count| count <= u16::MAX.into());
                2 + count.ok_or_else(|| damaged("a column of views without a number of buffers"))?
            }
            DataType::Union(_, mode) => {
                let validity = usize::from(self.version < MetadataVersion::V5);
                validity + if *mode == UnionMode::Dense { 2 } else { 1 }
            }
            _ => 2,
        };
        children(field.data_type()).into_iter().try_for_each(|child| self.pass(child))
    }
}

/// Checks a record batch with these fields, or the values of a dictionary, whose body has `body` bytes. Returns the memory that the
/// columns at `used` take besides the body, decompressed.
pub(super) fn check_batch(
    batch: &ipc::RecordBatch<'_>,
    fields: &[&Field],
    used: &dyn Fn(usize) -> bool,
    version: MetadataVersion,
    body: &[u8],
) -> Result<u64, FormatError> {
    let rows = batch.length();
    if !(0..=ROWS_MAX).contains(&rows) {
        return Err(damaged(format!("a record batch has {rows} rows: the maximum is {ROWS_MAX}")));
    }
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
        return Err(damaged("a record batch without its lengths"));
    };
    for node in nodes {
        let (length, nulls) = (node.length(), node.null_count());
        if !(0..=ROWS_MAX).contains(&length) || !(0..=length).contains(&nulls) {
            return Err(damaged(format!("invalid lengths: a column of {length} values with {nulls} nulls")));
        }
    }
    for buffer in buffers {
        slice(body, buffer)?;
    }
    let compression = batch.compression().map(|compression| compression.codec());
    let counts = batch.variadicBufferCounts();
    let mut parts =
        Parts { nodes: 0, buffers: 0, counts: Box::new(counts.into_iter().flat_map(|counts| counts.iter())), version };
    let mut expanded = 0_u64;
    for (index, field) in fields.iter().enumerate() {
        let (first_node, first_buffer) = (parts.nodes, parts.buffers);
        parts.pass(field)?;
        if parts.nodes > nodes.len() || parts.buffers > buffers.len() {
            return Err(damaged("a record batch has fewer columns than its schema"));
        }
        if !used(index) {
            continue;
        }
        if nodes.get(first_node).length() != rows {
            let reason = format!("a column has {} values in a batch of {rows} rows", nodes.get(first_node).length());
            return Err(damaged(reason));
        }
        for buffer in first_buffer..parts.buffers {
            let bytes = slice(body, buffers.get(buffer))?;
            let bytes = match compression {
                // A buffer that is not aligned is copied.
                None => bytes.len() as u64,
                Some(codec) => expanded_bytes(bytes, codec)?,
            };
            expanded = expanded.saturating_add(bytes);
        }
    }
    if compression.is_some() {
        let remedy = "write it in smaller record batches, or read fewer columns";
        within(Format::ArrowIpc, "a record batch, decompressed,", expanded, EXPANDED_BYTES_MAX, remedy)?;
    }
    Ok(expanded)
}

/// The bytes of a buffer, which must be in the body.
fn slice<'a>(body: &'a [u8], buffer: &ipc::Buffer) -> Result<&'a [u8], FormatError> {
    let start = usize::try_from(buffer.offset()).ok();
    let end = start.and_then(|start| start.checked_add(usize::try_from(buffer.length()).ok()?));
    start.zip(end).and_then(|(start, end)| body.get(start..end)).ok_or_else(|| {
        let (length, offset, body) = (buffer.length(), buffer.offset(), body.len());
        damaged(format!("a buffer of {length} bytes at {offset} of a body of {body}"))
    })
}

/// The stated size of a compressed buffer, if it is possible.
fn expanded_bytes(bytes: &[u8], codec: CompressionType) -> Result<u64, FormatError> {
    let Some((prefix, compressed)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
        return match bytes.is_empty() {
            true => Ok(0),
            false => Err(damaged(format!("a compressed buffer of {} bytes", bytes.len()))),
        };
    };
    let stated = i64::from_le_bytes(*prefix);
    if stated == NOT_COMPRESSED {
        return Ok(0);
    }
    let expanded = u64::try_from(stated).map_err(|_| damaged(format!("a compressed buffer of {stated} bytes")))?;
    // The library allocates the stated size. It refuses unknown codecs.
    let (name, ratio_max) = match codec {
        CompressionType::LZ4_FRAME => ("LZ4", LZ4_RATIO_MAX),
        CompressionType::ZSTD => ("zstd", ZSTD_RATIO_MAX),
        _ => ("an unknown codec", 1),
    };
    if expanded > (compressed.len() as u64).saturating_mul(ratio_max) {
        return Err(damaged(format!("{} bytes of {name} are stated to expand to {expanded}", compressed.len())));
    }
    Ok(expanded)
}
