//! What the tests share: modules out of text, and batches of numbers.

use std::sync::Arc;

use weir_batch::arrow::array::{ArrayRef, Int64Array};
use weir_batch::{Batch, DataType, Field, Schema};

pub(crate) use crate::by_hand::{admit, bare_wasm, block_on, call, engine, tenant, wasm};

/// A batch of one column `n` of numbers.
pub(crate) fn numbers(values: impl IntoIterator<Item = i64>) -> Arc<Batch> {
    let schema = Schema::new(vec![Field::new("n", DataType::I64)]).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    Arc::new(Batch::new(Arc::new(schema), vec![column]).unwrap())
}
