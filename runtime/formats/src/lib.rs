//! File formats: decodes bytes to batches, and encodes batches to bytes. This crate does not open paths: a decoder reads from a
//! file, and an encoder writes to any writer.
//!
//! ```
//! use std::io::{Seek, Write};
//! use std::sync::Arc;
//! use weir_formats::{Format, open_decoder, open_encoder};
//! use weir_batch::{DataType, Field, Schema};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = Arc::new(Schema::new(vec![Field::new("delay", DataType::I64)])?);
//! let mut file = tempfile::tempfile()?;
//! file.write_all(b"{\"delay\":61}\n{\"delay\":\"soon\"}\n{\"delay\":5}\n")?;
//! file.rewind()?;
//!
//! let mut decoder = open_decoder(Format::JsonLines, file, Some(&schema), 1000)?;
//! let decoded = decoder.next()?.expect("three records");
//! // The good records arrive, and the bad one is kept as it was.
//! assert_eq!(decoded.batch.rows(), 2);
//! assert_eq!(decoded.bad[0].line, Some(2));
//! assert_eq!(decoded.bad[0].bytes, b"{\"delay\":\"soon\"}");
//!
//! let mut encoder = open_encoder(Format::Parquet, &schema, tempfile::tempfile()?)?;
//! encoder.write(&decoded.batch)?;
//! encoder.finish()?;
//! # Ok(())
//! # }
//! ```
//!
//! **[`Format`]**: the supported formats and their properties.
//!
//! **[`Decoder`]**: reads one file, one batch at a time; owned by one source. Memory is bounded by the batch, not by the file. A
//! record that cannot be read becomes a [`BadRecord`]; the other records of its chunk are returned.
//!
//! **[`Feed`]**: bytes that arrive over time from a pipe or terminal, without a thread that waits for them: a decoder of a feed
//! returns an error if it needs more ([`FormatError::is_waiting`]), and can be called again.
//!
//! **[`Encoder`]**: writes one file; owned by one sink. It writes only rows that count, and only fields. The rows of a batch with a
//! selection are copied first; other batches are written without a copy.
//!
//! **[`RecordEncoder`]**: encodes single records, for sinks whose records are messages.

mod arrow_ipc;
pub mod bincode;
mod budget;
mod chunk;
mod counting_writer;
mod csv;
mod csv_grammar;
mod csv_infer;
mod csv_options;
mod csv_row;
mod csv_values;
mod csv_write;
mod decoder;
mod delta;
mod encoder;
mod error;
#[cfg(test)]
mod fault_tables;
mod feed;
mod fill;
mod foreign;
mod guard;
mod infer;
mod inferred;
mod input;
mod ipc_checks;
mod ipc_reader;
mod json_brackets;
mod json_lines;
mod json_records;
mod json_rows;
mod json_text;
mod json_values;
mod kind;
mod narrow;
mod new_keys;
mod numbers;
mod open_decoder;
mod open_encoder;
mod parquet;
mod parquet_columns;
mod parquet_footer;
mod parquet_pages;
mod pieces;
mod place;
mod projection;
mod record_decoder;
mod record_encoder;
mod records;
mod row_bytes;
mod thrift;
mod timestamp;
mod utc;
mod widening;

pub use csv_infer::{csv_header, infer_csv};
pub use csv_options::{CsvOptionError, CsvOptions};
pub use decoder::{BadRecord, Decoded, Decoder};
pub use encoder::Encoder;
pub use error::FormatError;
pub use feed::Feed;
pub use fill::Fill;
pub use infer::{infer, infer_schema};
pub use inferred::{Inferred, LeftOut};
pub use input::DecoderInput;
pub use json_text::DEPTH_MAX;
pub use kind::{Format, UnknownFormat};
pub use new_keys::NewKey;
pub use open_decoder::{open_csv_decoder, open_decoder};
pub use open_encoder::{open_csv_encoder, open_encoder};
pub use parquet::parquet_rows;
pub use place::{PlaceAt, ResumePlace, TextLayout, TextPlace};
pub use record_decoder::{DecodedRecords, RecordDecoder, RecordFormat};
pub use record_encoder::RecordEncoder;
pub use timestamp::parse as parse_timestamp;
