//! Converts the values of a column for metrics.

use std::borrow::Cow;

use weir_abi::Status;
use weir_batch::DataType;

use super::read::Rows;
use crate::columns::{Column, Values};

/// The values of these rows that are not null; borrowed if they are contiguous.
pub(super) fn doubles<'a>(column: &'a Column, rows: &Rows<'_>) -> Result<Cow<'a, [f64]>, Status> {
    Ok(match &column.values {
        Values::F64(values) => match (rows.selected, &column.nulls) {
            (None, None) => Cow::Borrowed(rows.slice(values)),
            _ => Cow::Owned(gather(column, rows, values, |value| value)),
        },
        Values::I64(values) => Cow::Owned(gather(column, rows, values, |value| value as f64)),
        Values::I32(values) => Cow::Owned(gather(column, rows, values, f64::from)),
        Values::I16(values) => Cow::Owned(gather(column, rows, values, f64::from)),
        Values::I8(values) => Cow::Owned(gather(column, rows, values, f64::from)),
        Values::Absent => Cow::Borrowed(&[]),
        // These types are never declared as numbers.
        Values::Bool(_) | Values::Bytes(..) => return Err(Status::BadType),
    })
}

/// The fuel for finding and converting the values of these rows, if they are numbers.
pub(super) fn doubles_cost(column: &Column, rows: &Rows<'_>) -> Result<u64, Status> {
    if !matches!(column.declared, DataType::F64 | DataType::I8 | DataType::I16 | DataType::I32 | DataType::I64) {
        return Err(Status::BadType);
    }
    let converted =
        if matches!(column.values, Values::F64(_)) && column.nulls.is_none() { 0 } else { rows.count as u64 };
    Ok(rows.gather_cost().saturating_add(converted))
}

fn gather<S: Copy>(column: &Column, rows: &Rows<'_>, values: &[S], to_f64: impl Fn(S) -> f64) -> Vec<f64> {
    let Some(nulls) = &column.nulls else {
        return match rows.selected {
            None => rows.slice(values).iter().map(|&value| to_f64(value)).collect(),
            Some(selected) => {
                let found = selected.iter().filter_map(|&row| values.get(row as usize));
                found.map(|&value| to_f64(value)).collect()
            }
        };
    };
    let mut found = Vec::with_capacity(rows.count);
    rows.each(|row| {
        if let Some(&value) = values.get(row).filter(|_| nulls.is_valid(row)) {
            found.push(to_f64(value));
        }
    });
    found
}
