//! Record batches that are shared instead of copied: Arrow columns, a selection, system columns and a trace context. They pass from
//! source to sink as `Arc<Batch>`. This crate does no I/O and does not know WebAssembly.
//!
//! ```
//! use std::sync::Arc;
//! use weir_batch::{Batch, CopyOnWrite, DataType, Field, Schema};
//! use weir_batch::arrow::array::{ArrayRef, Int64Array, StringArray};
//! use weir_batch::arrow::buffer::BooleanBuffer;
//!
//! let schema = Schema::new(vec![Field::new("origin", DataType::Utf8), Field::new("delay", DataType::I64)])?;
//! let origin: ArrayRef = Arc::new(StringArray::from(vec!["SEA", "LAX", "JFK"]));
//! let delay: ArrayRef = Arc::new(Int64Array::from(vec![61, 5, 90]));
//! let batch = Arc::new(Batch::new(Arc::new(schema), vec![origin, delay])?);
//!
//! // A filter keeps rows by setting a selection; the columns stay where they are.
//! let late = batch.filter(&BooleanBuffer::from(vec![true, false, true]))?;
//! assert_eq!((late.rows(), late.physical_rows()), (2, 3));
//! assert!(Arc::ptr_eq(late.column(0), batch.column(0)));
//! # Ok::<(), weir_batch::BatchError>(())
//! ```
//!
//! # The nouns
//!
//! **[`Batch`]**: columns of one [`Schema`] and equal length. A source creates it, and every stage and sink holds an `Arc`. Sharing
//! costs one reference count. It is dropped after the last sink.
//!
//! **[`Selection`]**: the physical rows of a batch that count, as ascending row numbers. A filter creates one (4 bytes per kept
//! row). A batch whose rows all count has no selection.
//!
//! **[`SystemColumns`]**: what the source knows about each record besides its fields: `_key`, `_timestamp`, `_partition`,
//! `_offset`, `_headers`. Each is absent until a source fills it.
//!
//! **[`TraceContext`]**: the W3C trace context of the batch, 25 bytes by value. Only traced batches have one. The contexts that
//! records arrived with are in their `_headers`.
//!
//! **[`CopyOnWrite`]**: counts how often a mutation found its batch unshared (free), and how often it had to copy the batch's
//! frame. A frame has a few hundred bytes; columns are shared even then.

mod batch;
mod copy_on_write;
mod data_type;
mod error;
#[cfg(test)]
mod fault_tables;
mod normalise;
mod schema;
mod selection;
mod system;
mod trace;

pub use arrow;

pub use batch::Batch;
pub use copy_on_write::CopyOnWrite;
pub use data_type::{DataType, TimestampUnit};
pub use error::BatchError;
pub use normalise::carried_as;
pub use schema::{Field, Schema};
pub use selection::Selection;
pub use system::{SystemColumn, SystemColumns};
pub use trace::{TraceContext, TraceParseError};
pub use weir_fault::Fault;
