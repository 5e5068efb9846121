//! Reads the messages of an Arrow IPC file or stream, checks them, and passes them to the library.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{RecordBatchDecoder, read_dictionary};
use arrow::ipc::{self, Block, MessageHeader};

use super::budget::{EXPANDED_BYTES_MAX, HELD_BYTES_MAX, METADATA_BYTES_MAX, corrupt, within};
use super::ipc_checks::{check_batch, check_depth, verifier};
use super::place;
use super::{Format, FormatError};

const MAGIC: &[u8; 6] = b"ARROW1";
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The number of bytes that are read before more is allocated, if the length of the input is unknown.
const READ_BYTES: u64 = 1024 * 1024;
/// The maximum size of all copies for dictionary deltas. The library copies a dictionary for each of its deltas.
const DELTA_BYTES_MAX: u64 = 16 * EXPANDED_BYTES_MAX;

/// Reads record batches.
pub(super) struct IpcReader {
    input: Input,
    // For a file with a footer, the blocks that were not read yet; `None` for a stream.
    blocks: Option<VecDeque<Block>>,
    // The number of dictionary blocks, which come first.
    dictionary_blocks: usize,
    // The number of record batches that were returned or skipped.
    given: u64,
    // All columns. Those that are read are nullable here; nulls are checked per record later.
    schema: SchemaRef,
    used: Vec<usize>,
    // The ids of the dictionaries for the columns in use.
    dictionaries_used: HashSet<i64>,
    dictionaries: HashMap<i64, ArrayRef>,
    delta_bytes: u64,
    ended: bool,
}

/// The file, and the number of bytes left, if known: a pipe has no length.
struct Input {
    reader: BufReader<Box<dyn ReadSeek>>,
    position: u64,
    length: Option<u64>,
}

trait ReadSeek: Read + Seek + Send {}
impl ReadSeek for File {}

/// The metadata of a message as a flatbuffer, and the length of the body after it.
struct Message {
    metadata: Vec<u8>,
    body_bytes: u64,
}

fn damaged(reason: impl ToString) -> FormatError {
    corrupt(Format::ArrowIpc, reason)
}

fn arrow(error: ArrowError) -> FormatError {
    FormatError::read(Format::ArrowIpc, error)
}

impl IpcReader {
    /// Reads the schema of a file or stream. Only files begin with the magic bytes.
    pub(super) fn open(file: File) -> Result<IpcReader, FormatError> {
        let metadata = file.metadata()?;
        let length = metadata.is_file().then_some(metadata.len());
        let mut input = Input { reader: BufReader::new(Box::new(file)), position: 0, length };
        let is_file = length.is_some() && input.begins_with(MAGIC)?;
        let (schema, blocks, dictionary_blocks) = match is_file {
            true => {
                let (schema, blocks, dictionary_blocks) = input.read_footer()?;
                (schema, Some(blocks), dictionary_blocks)
            }
            false => (input.read_stream_schema()?, None, 0),
        };
        Ok(IpcReader {
            input,
            blocks,
            dictionary_blocks,
            given: 0,
            schema: Arc::new(schema),
            used: Vec::new(),
            dictionaries_used: HashSet::new(),
            dictionaries: HashMap::new(),
            delta_bytes: 0,
            ended: false,
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads only these columns of every batch, in this order.
    pub(super) fn project(&mut self, used: &[usize]) {
        let fields = self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        self.schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        self.used = used.to_vec();
        let used = used.iter().filter_map(|&index| self.schema.fields().get(index));
        self.dictionaries_used = used.filter_map(|field| dictionary_id(field)).collect();
    }

    /// The number of bytes that were read or skipped.
    pub(super) fn position(&self) -> u64 {
        self.input.position
    }

    /// The number of record batches that were returned or skipped.
    pub(super) fn blocks_given(&self) -> u64 {
        self.given
    }

    /// Skips the first record batches, reading only their metadata. Returns their number of records. Call this before reading.
    pub(super) fn pass_blocks(&mut self, count: u64) -> Result<u64, FormatError> {
        let mut records = 0_u64;
        if let Some(blocks) = &mut self.blocks {
            let batches = blocks.len().saturating_sub(self.dictionary_blocks);
            let passed = usize::try_from(count).ok().filter(|&count| count <= batches);
            let passed = passed.ok_or_else(|| beyond(count, batches as u64))?;
            for block in blocks.drain(self.dictionary_blocks..self.dictionary_blocks + passed) {
                let Message { metadata, body_bytes } = self.input.read_block(&block)?;
                records = records.saturating_add(records_of(&parse(&metadata)?)?);
                self.input.skip(body_bytes)?;
            }
            self.given = count;
            return Ok(records);
        }
        while self.given < count {
            let Some(Message { metadata, body_bytes }) = self.next_message()? else {
                return Err(beyond(count, self.given));
            };
            let message = parse(&metadata)?;
            if message.header_type() == MessageHeader::RecordBatch {
                records = records.saturating_add(records_of(&message)?);
                self.input.skip(body_bytes)?;
                self.given += 1;
            } else {
                self.take_other(&message, body_bytes)?;
            }
        }
        Ok(records)
    }

    fn next_message(&mut self) -> Result<Option<Message>, FormatError> {
        match &mut self.blocks {
            None => self.input.read_message(),
            Some(blocks) => blocks.pop_front().map(|block| self.input.read_block(&block)).transpose(),
        }
    }

    /// Handles a message that is not a record batch.
    fn take_other(&mut self, message: &ipc::Message<'_>, body_bytes: u64) -> Result<(), FormatError> {
        match message.header_type() {
            MessageHeader::DictionaryBatch => {
                let id = message.header_as_dictionary_batch().map(|dictionary| dictionary.id());
                match id.is_some_and(|id| self.dictionaries_used.contains(&id)) {
                    true => {
                        let body = self.input.read_body(body_bytes)?;
                        self.take_dictionary(message, &body)
                    }
                    false => self.input.skip(body_bytes),
                }
            }
            other => Err(damaged(format!("found a message of type {other:?}, expected records"))),
        }
    }

    /// The next record batch, with the columns in use.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, FormatError> {
        while !self.ended {
            let Some(Message { metadata, body_bytes }) = self.next_message()? else {
                self.ended = true;
                break;
            };
            let message = parse(&metadata)?;
            match message.header_type() {
                MessageHeader::RecordBatch => {
                    self.given += 1;
                    let body = self.input.read_body(body_bytes)?;
                    return self.decode(&message, &body).map(Some);
                }
                _ => self.take_other(&message, body_bytes)?,
            }
        }
        Ok(None)
    }

    fn decode(&self, message: &ipc::Message<'_>, body: &Buffer) -> Result<RecordBatch, FormatError> {
        let batch = message.header_as_record_batch().ok_or_else(|| damaged("a record batch without its header"))?;
        let fields: Vec<&Field> = self.schema.fields().iter().map(|field| &**field).collect();
        let used: HashSet<usize> = self.used.iter().copied().collect();
        check_batch(&batch, &fields, &|index| used.contains(&index), message.version(), body)?;
        RecordBatchDecoder::try_new(body, batch, Arc::clone(&self.schema), &self.dictionaries, &message.version())
            .and_then(|decoder| {
                decoder.with_projection(Some(&self.used)).with_require_alignment(false).read_record_batch()
            })
            .map_err(arrow)
    }

    fn take_dictionary(&mut self, message: &ipc::Message<'_>, body: &Buffer) -> Result<(), FormatError> {
        let header = message.header_as_dictionary_batch();
        let header = header.ok_or_else(|| damaged("a dictionary without its header"))?;
        let (id, delta) = (header.id(), header.isDelta());
        #[expect(deprecated, reason = "the library finds the type of a dictionary's values in this way, and no other")]
        let fields = self.schema.fields_with_dict_id(id);
        let Some(DataType::Dictionary(_, values)) = fields.first().map(|field| field.data_type()) else {
            return Err(damaged(format!("dictionary {id} is not used by any column")));
        };
        let batch = header.data().ok_or_else(|| damaged("a dictionary without values"))?;
        let values = Field::new("", DataType::clone(values), true);
        let bytes = check_batch(&batch, &[&values], &|_| true, message.version(), body)?;
        let bytes = bytes.max(body.len() as u64);
        let others = self.dictionaries.iter().filter(|(other, _)| delta || **other != id);
        let held = others.map(|(_, values)| values.get_buffer_memory_size() as u64).fold(0, u64::saturating_add);
        if delta {
            let copied = self.dictionaries.get(&id).map_or(0, |values| values.get_buffer_memory_size() as u64);
            self.delta_bytes = self.delta_bytes.saturating_add(copied);
        }
        let remedy = "write it with smaller dictionaries";
        within(Format::ArrowIpc, "its dictionaries", held.saturating_add(bytes), EXPANDED_BYTES_MAX, remedy)?;
        within(Format::ArrowIpc, "the data of its dictionary deltas", self.delta_bytes, DELTA_BYTES_MAX, remedy)?;
        let version = message.version();
        read_dictionary(body, header, &self.schema, &mut self.dictionaries, &version).map_err(arrow)
    }
}

/// The number of records that a record batch states.
fn records_of(message: &ipc::Message<'_>) -> Result<u64, FormatError> {
    let length = message.header_as_record_batch().map(|batch| batch.length());
    let records = length.and_then(|length| u64::try_from(length).ok());
    records.ok_or_else(|| damaged("a record batch without a header or with a negative number of records"))
}

fn beyond(block: u64, blocks: u64) -> FormatError {
    place::refused(Format::ArrowIpc, format!("record batch {block} is beyond the {blocks} of the file"))
}

/// The id of the dictionary for a column.
fn dictionary_id(field: &Field) -> Option<i64> {
    #[expect(deprecated, reason = "the readers of Arrow IPC have no other way to tell a field's dictionary")]
    field.dict_id()
}

/// Verifies metadata: all references in it are inside of it.
fn parse(metadata: &[u8]) -> Result<ipc::Message<'_>, FormatError> {
    ipc::root_as_message_with_opts(&verifier(), metadata).map_err(|error| damaged(format!("a message: {error:?}")))
}

/// The schema in the metadata of a message.
pub(super) fn schema_of_message(metadata: &[u8]) -> Result<ArrowSchema, FormatError> {
    let message = parse(metadata)?;
    let schema = message.header_as_schema().ok_or_else(|| damaged("it does not begin with a schema"))?;
    schema_of(schema)
}

fn schema_of(schema: ipc::Schema<'_>) -> Result<ArrowSchema, FormatError> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err(damaged("its byte order differs from that of this machine, which is not supported"));
    }
    let schema = ipc::convert::try_fb_to_schema(schema).map_err(arrow)?;
    schema.fields().iter().try_for_each(|field| check_depth(field))?;
    Ok(schema)
}

impl Input {
    /// Whether the file begins with these bytes. Does not change the position.
    fn begins_with(&mut self, magic: &[u8]) -> Result<bool, FormatError> {
        let mut found = Vec::new();
        (&mut self.reader).take(magic.len() as u64).read_to_end(&mut found)?;
        self.reader.seek(SeekFrom::Start(0))?;
        Ok(found == magic)
    }

    /// The schema and blocks of a file, dictionaries first, and the number of dictionaries.
    fn read_footer(&mut self) -> Result<(ArrowSchema, VecDeque<Block>, usize), FormatError> {
        const TAIL_BYTES: u64 = 10;
        let length = self.length.unwrap_or(0);
        let tail = length.checked_sub(TAIL_BYTES).ok_or_else(|| damaged("it ends within its footer"))?;
        self.seek(tail)?;
        let bytes = self.read_exactly(TAIL_BYTES)?;
        let Some(footer) = bytes.strip_suffix(MAGIC).and_then(|footer| footer.first_chunk()) else {
            return Err(damaged("it does not end with `ARROW1`"));
        };
        let footer = i32::from_le_bytes(*footer);
        let footer_bytes = u64::try_from(footer).ok().filter(|&bytes| bytes <= tail);
        let footer_bytes = footer_bytes.ok_or_else(|| damaged(format!("a footer of {footer} bytes")))?;
        within(Format::ArrowIpc, "its footer", footer_bytes, METADATA_BYTES_MAX, "write it in fewer record batches")?;
        self.seek(tail - footer_bytes)?;
        let bytes = self.read_exactly(footer_bytes)?;
        let footer = ipc::root_as_footer_with_opts(&verifier(), &bytes);
        let footer = footer.map_err(|error| damaged(format!("its footer: {error:?}")))?;
        let schema = schema_of(footer.schema().ok_or_else(|| damaged("a footer without a schema"))?)?;
        let batches = footer.recordBatches().ok_or_else(|| damaged("a footer without record batches"))?;
        let dictionary_blocks = footer.dictionaries().map_or(0, |dictionaries| dictionaries.len());
        let dictionaries = footer.dictionaries().into_iter().flatten();
        let blocks: VecDeque<Block> = dictionaries.chain(batches).copied().collect();
        // Overlapping blocks could make a large table from a small file.
        let mut bytes = 0_u64;
        for block in &blocks {
            let lengths = u64::try_from(block.metaDataLength()).ok().zip(u64::try_from(block.bodyLength()).ok());
            let block_bytes = lengths.and_then(|(metadata, body)| metadata.checked_add(body));
            let start = u64::try_from(block.offset()).ok();
            let inside = start.zip(block_bytes).and_then(|(start, bytes)| start.checked_add(bytes));
            bytes = bytes.saturating_add(block_bytes.unwrap_or(u64::MAX));
            if inside.is_none_or(|end| end > tail) || bytes > length {
                let (start, metadata, body) = (block.offset(), block.metaDataLength(), block.bodyLength());
                return Err(damaged(format!("a block of {metadata} and {body} bytes at {start} of {length}")));
            }
        }
        Ok((schema, blocks, dictionary_blocks))
    }

    fn read_stream_schema(&mut self) -> Result<ArrowSchema, FormatError> {
        let message = self.read_message()?.ok_or_else(|| damaged("it is empty"))?;
        let schema = schema_of_message(&message.metadata)?;
        self.skip(message.body_bytes)?;
        Ok(schema)
    }

    fn read_block(&mut self, block: &Block) -> Result<Message, FormatError> {
        let (start, metadata) = (block.offset(), block.metaDataLength());
        let start = u64::try_from(start).map_err(|_| damaged(format!("a block at {start}")))?;
        self.seek(start)?;
        let message = self.read_message()?.ok_or_else(|| damaged(format!("no message at {start}")))?;
        let found = self.position - start;
        if u64::try_from(metadata) != Ok(found) || u64::try_from(block.bodyLength()) != Ok(message.body_bytes) {
            let (found_body, body) = (message.body_bytes, block.bodyLength());
            let reason =
                format!("a message has {found} and {found_body} bytes, but its footer states {metadata} and {body}");
            return Err(damaged(reason));
        }
        Ok(message)
    }

    /// The next message, whose body follows; `None` at the end of a stream.
    fn read_message(&mut self) -> Result<Option<Message>, FormatError> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(4).read_to_end(&mut bytes)?;
        self.position += bytes.len() as u64;
        let Some(mut prefix) = bytes.first_chunk::<4>().copied() else {
            return match bytes.is_empty() {
                true => Ok(None),
                false => Err(damaged("it ends within a message")),
            };
        };
        // Files from before Arrow 0.15 have only the length.
        if prefix == CONTINUATION {
            let bytes = self.read_exactly(4)?;
            prefix = bytes.first_chunk().copied().unwrap_or_default();
        }
        let length = i32::from_le_bytes(prefix);
        if length == 0 {
            return Ok(None);
        }
        let length = u64::try_from(length).map_err(|_| damaged(format!("a message of {length} bytes")))?;
        self.has(length)?;
        within(
            Format::ArrowIpc,
            "the metadata of a message",
            length,
            METADATA_BYTES_MAX,
            "write it with fewer columns",
        )?;
        let metadata = self.read_exactly(length)?;
        let body = parse(&metadata)?.bodyLength();
        let body_bytes = u64::try_from(body).map_err(|_| damaged(format!("a body of {body} bytes")))?;
        self.has(body_bytes)?;
        Ok(Some(Message { metadata, body_bytes }))
    }

    fn read_body(&mut self, length: u64) -> Result<Buffer, FormatError> {
        let remedy = "write it in smaller record batches";
        self.has(length)?;
        within(Format::ArrowIpc, "the body of a message", length, HELD_BYTES_MAX, remedy)?;
        Ok(Buffer::from_vec(self.read_exactly(length)?))
    }

    /// Checks that the file can have this many more bytes.
    fn has(&self, bytes: u64) -> Result<(), FormatError> {
        match self.length {
            Some(length) if length.saturating_sub(self.position) < bytes => {
                let left = length.saturating_sub(self.position);
                Err(damaged(format!("it ends early: expected {bytes} bytes, but only {left} are left")))
            }
            _ => Ok(()),
        }
    }

    /// Reads the next bytes. Never allocates more than the file contains.
    fn read_exactly(&mut self, bytes: u64) -> Result<Vec<u8>, FormatError> {
        self.has(bytes)?;
        let known = if self.length.is_some() { bytes } else { bytes.min(READ_BYTES) };
        let mut read = Vec::new();
        let memory = |_| FormatError::Io(io::ErrorKind::OutOfMemory.into());
        read.try_reserve_exact(usize::try_from(known).unwrap_or(usize::MAX)).map_err(memory)?;
        let found = (&mut self.reader).take(bytes).read_to_end(&mut read)?;
        self.position += found as u64;
        match found as u64 == bytes {
            true => Ok(read),
            false => Err(damaged(format!("it ends early: expected {bytes} bytes, but only {found} are left"))),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), FormatError> {
        self.has(bytes)?;
        match self.length {
            Some(_) => self.seek(self.position + bytes),
            None => {
                let found = io::copy(&mut (&mut self.reader).take(bytes), &mut io::sink())?;
                self.position += found;
                match found == bytes {
                    true => Ok(()),
                    false => Err(damaged("it ends within a message")),
                }
            }
        }
    }

    fn seek(&mut self, position: u64) -> Result<(), FormatError> {
        self.reader.seek(SeekFrom::Start(position))?;
        self.position = position;
        Ok(())
    }
}
