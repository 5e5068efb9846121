//! Host functions for reading: getters, validity, windows.

use wasmtime::{Caller, Linker};
use weir_abi::{IMPORT_MODULE, Status};
use weir_batch::DataType;
use weir_batch::arrow::buffer::{BooleanBuffer, NullBuffer};
use weir_batch::arrow::util::bit_chunk_iterator::{BitChunks, UnalignedBitChunk};

use super::meter::{Answer, CALL, bytes_cost, charge, end, host_call, with_batch};
use crate::Phase;
use crate::columns::{Column, Values, View};
use crate::guest_memory::{answer, bitmap_bytes, bytes_of, index, range_mut, size};
use crate::purse::Purse;
use crate::state::StoreData;

pub(super) fn add(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker.func_wrap(IMPORT_MODULE, "get_bool", |caller: Caller<'_, StoreData>, column: i32, row: i32| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            let value = value(&caller.data().view, column, row, |column, row| match &column.values {
                Values::Bool(values) => {
                    (row < values.len()).then(|| i32::from(values.value(row) && !column.is_null(row)))
                }
                Values::Absent if column.declared == DataType::Bool => Some(0),
                _ => None,
            });
            value.map_or_else(|| refuse_value(caller, "get_bool", column, row), Ok)
        })
    })?;
    linker.func_wrap(IMPORT_MODULE, "get_i64", |caller: Caller<'_, StoreData>, column: i32, row: i32| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            let value = value(&caller.data().view, column, row, integer);
            value.map_or_else(|| refuse_value(caller, "get_i64", column, row), Ok)
        })
    })?;
    linker.func_wrap(IMPORT_MODULE, "get_f64", |caller: Caller<'_, StoreData>, column: i32, row: i32| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            let value = value(&caller.data().view, column, row, |column, row| match &column.values {
                Values::F64(values) => values.get(row).map(|&value| if column.is_null(row) { 0.0 } else { value }),
                _ => None,
            });
            value.map_or_else(|| refuse_value(caller, "get_f64", column, row), Ok)
        })
    })?;
    linker.func_wrap(IMPORT_MODULE, "is_null", |caller: Caller<'_, StoreData>, column: i32, row: i32| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            let value = value(&caller.data().view, column, row, |column, row| Some(i32::from(column.is_null(row))));
            value.map_or_else(|| refuse_value(caller, "is_null", column, row), Ok)
        })
    })?;
    linker.func_wrap(IMPORT_MODULE, "validity_word", |caller: Caller<'_, StoreData>, column: i32, row: i32| {
        host_call(caller, |caller| {
            // If the batch has a selection, each bit comes from another place.
            let view = &caller.data().view;
            let gathered = if view.selection.is_some() { view.rows.saturating_sub(size(row)).min(64) } else { 0 };
            charge(caller, CALL.saturating_add(gathered as u64))?;
            let word = validity_word(&caller.data().view, column, row);
            word.map_or_else(|| refuse_value(caller, "validity_word", column, row), Ok)
        })
    })?;
    linker.func_wrap(
        IMPORT_MODULE,
        "get_bytes",
        |caller: Caller<'_, StoreData>, column: i32, row: i32, pointer: i32, capacity: i32| {
            with_batch(caller, |state, memory, purse| {
                get_bytes(&state.view, memory, purse, column, row, pointer, capacity)
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "window",
        |caller: Caller<'_, StoreData>, column: i32, row: i32, count: i32, pointer: i32| {
            with_batch(caller, |state, memory, purse| window(&state.view, memory, purse, column, row, count, pointer))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "window_bytes",
        |caller: Caller<'_, StoreData>,
         column: i32,
         row: i32,
         count: i32,
         offsets: i32,
         pointer: i32,
         capacity: i32| {
            with_batch(caller, |state, memory, purse| {
                window_bytes(&state.view, memory, purse, [column, row, count, offsets, pointer, capacity])
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "window_validity",
        |caller: Caller<'_, StoreData>, column: i32, row: i32, count: i32, pointer: i32| {
            with_batch(caller, |state, memory, purse| {
                window_validity(&state.view, memory, purse, column, row, count, pointer)
            })
        },
    )?;
    Ok(())
}

/// A value by column and row; `None` if index, row or type is wrong.
#[inline(always)]
fn value<T>(view: &View, column: i32, row: i32, read: impl FnOnce(&Column, usize) -> Option<T>) -> Option<T> {
    let column = view.columns.get(size(column))?;
    read(column, view.physical(size(row))?)
}

#[inline(always)]
fn integer(column: &Column, row: usize) -> Option<i64> {
    let value = match &column.values {
        Values::I64(values) => *values.get(row)?,
        Values::I32(values) => i64::from(*values.get(row)?),
        Values::I16(values) => i64::from(*values.get(row)?),
        Values::I8(values) => i64::from(*values.get(row)?),
        Values::Absent if is_integer(column.declared) => return Some(0),
        _ => return None,
    };
    Some(if column.is_null(row) { 0 } else { value })
}

/// Whether `get_i64` reads the type.
fn is_integer(data_type: DataType) -> bool {
    matches!(data_type, DataType::I8 | DataType::I16 | DataType::I32 | DataType::I64 | DataType::Timestamp)
}

/// Ends the guest because of a call that cannot return a status.
#[cold]
fn refuse_value<T>(
    caller: &mut Caller<'_, StoreData>,
    import: &'static str,
    column: i32,
    row: i32,
) -> wasmtime::Result<T> {
    let state = caller.data();
    let (columns, rows) = (state.view.columns.len(), state.view.rows);
    let detail = if state.phase != Phase::Batch {
        "it may only be called within a batch".to_owned()
    } else if let Some(found) = state.view.columns.get(size(column)) {
        if size(row) < rows {
            format!("column {} is {}", index(column), found.declared)
        } else {
            format!("row {} of {rows}", index(row))
        }
    } else {
        format!("column {} of {columns}", index(column))
    };
    end(caller, import, detail)
}

/// The column and the range of rows, which must be in the batch.
fn column_range(view: &View, column: i32, row: i32, count: i32) -> Result<(&Column, usize, usize), Status> {
    let column = view.columns.get(size(column)).ok_or(Status::BadIndex)?;
    let (row, count) = (size(row), size(count));
    match row.checked_add(count) {
        Some(end) if end <= view.rows => Ok((column, row, count)),
        _ => Err(Status::BadRow),
    }
}

/// The physical rows of a range, if they are not contiguous.
fn selected(view: &View, row: usize, count: usize) -> Option<&[u32]> {
    view.selection.as_ref()?.get(row..row.saturating_add(count))
}

fn get_bytes(
    view: &View,
    memory: &mut [u8],
    purse: &mut Purse,
    column: i32,
    row: i32,
    pointer: i32,
    capacity: i32,
) -> Answer {
    let column = view.columns.get(size(column)).ok_or(Status::BadIndex)?;
    if column.declared.width().is_some() {
        return Err(Status::BadType.into());
    }
    let row = view.physical(size(row)).ok_or(Status::BadRow)?;
    let room = range_mut(memory, pointer, size(capacity))?;
    let value = bytes_at(column, row);
    if let Some(room) = room.get_mut(..value.len()) {
        purse.pay(bytes_cost(value.len()))?;
        room.copy_from_slice(value);
    }
    Ok(answer(value.len())?)
}

/// A text or binary value; empty for null. The row must exist.
fn bytes_at(column: &Column, row: usize) -> &[u8] {
    match &column.values {
        Values::Bytes(offsets, data) if !column.is_null(row) => {
            // Arrow's offsets are 0 or more, do not descend, and are within the data.
            let at = |index: usize| offsets.get(index).map_or(0, |&offset| offset as usize);
            data.get(at(row)..at(row.saturating_add(1))).unwrap_or_default()
        }
        _ => &[],
    }
}

fn window(
    view: &View,
    memory: &mut [u8],
    purse: &mut Purse,
    column: i32,
    row: i32,
    count: i32,
    pointer: i32,
) -> Answer {
    let (column, rows) = Rows::of(view, column, row, count)?;
    let (count, width) = (rows.count, column.declared.width().ok_or(Status::BadType)?);
    let target = range_mut(memory, pointer, bytes_of(count, width)?)?;
    purse.pay((count as u64).saturating_add(bytes_cost(target.len())).saturating_add(rows.gather_cost()))?;
    match (&column.values, column.declared) {
        (Values::I64(values), _) => rows.copy::<i64, i64>(values, target),
        (Values::F64(values), _) => rows.copy::<f64, f64>(values, target),
        (Values::I32(values), DataType::I32) => rows.copy::<i32, i32>(values, target),
        (Values::I32(values), _) => rows.copy::<i32, i64>(values, target),
        (Values::I16(values), DataType::I16) => rows.copy::<i16, i16>(values, target),
        (Values::I16(values), DataType::I32) => rows.copy::<i16, i32>(values, target),
        (Values::I16(values), _) => rows.copy::<i16, i64>(values, target),
        (Values::I8(values), DataType::I8) => rows.copy::<i8, i8>(values, target),
        (Values::I8(values), DataType::I16) => rows.copy::<i8, i16>(values, target),
        (Values::I8(values), DataType::I32) => rows.copy::<i8, i32>(values, target),
        (Values::I8(values), _) => rows.copy::<i8, i64>(values, target),
        (Values::Bool(values), _) => rows.copy_bools(values, target),
        (Values::Absent, _) => target.fill(0),
        // Text has no fixed width.
        (Values::Bytes(..), _) => return Err(Status::BadType.into()),
    }
    if let Some(nulls) = &column.nulls {
        rows.zero_nulls(nulls, target, width);
    }
    Ok(answer(count)?)
}

/// The rows of a window: those of `selected`, if set, else from `first` on. All of them exist.
pub(super) struct Rows<'a> {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) selected: Option<&'a [u32]>,
}

impl<'a> Rows<'a> {
    /// The column and these rows.
    pub(super) fn of(view: &'a View, column: i32, row: i32, count: i32) -> Result<(&'a Column, Rows<'a>), Status> {
        let (column, first, count) = column_range(view, column, row, count)?;
        Ok((column, Rows { first, count, selected: selected(view, first, count) }))
    }

    /// Copies values, widened from `S` to `D`. The target has exactly the size of the result.
    fn copy<S, D>(&self, values: &[S], target: &mut [u8])
    where
        S: bytemuck::Pod,
        D: bytemuck::Pod + From<S>,
    {
        let targets = target.chunks_exact_mut(size_of::<D>());
        if let Some(selected) = self.selected {
            for (target, &row) in targets.zip(selected) {
                if let Some(&value) = values.get(row as usize) {
                    target.copy_from_slice(bytemuck::bytes_of(&D::from(value)));
                }
            }
            return;
        }
        let values = self.slice(values);
        if size_of::<S>() == size_of::<D>() {
            // In this case `S` and `D` are the same type: no two supported integer types have the same width.
            let bytes: &[u8] = bytemuck::cast_slice(values);
            if bytes.len() == target.len() {
                target.copy_from_slice(bytes);
            }
            return;
        }
        for (target, &value) in targets.zip(values) {
            target.copy_from_slice(bytemuck::bytes_of(&D::from(value)));
        }
    }

    /// The values of contiguous rows.
    pub(super) fn slice<'v, S>(&self, values: &'v [S]) -> &'v [S] {
        values.get(self.first..self.first.saturating_add(self.count)).unwrap_or_default()
    }

    /// Calls `see` with each physical row.
    pub(super) fn each(&self, mut see: impl FnMut(usize)) {
        match self.selected {
            Some(selected) => selected.iter().for_each(|&row| see(row as usize)),
            None => (self.first..self.first.saturating_add(self.count)).for_each(see),
        }
    }

    fn copy_bools(&self, values: &BooleanBuffer, target: &mut [u8]) {
        if let Some(selected) = self.selected {
            for (target, &row) in target.iter_mut().zip(selected) {
                *target = u8::from(values.value(row as usize));
            }
            return;
        }
        let words = BitChunks::new(values.values(), values.offset().saturating_add(self.first), self.count);
        for (targets, word) in target.chunks_mut(64).zip(words.iter_padded()) {
            for (bit, target) in targets.iter_mut().enumerate() {
                *target = (word >> bit) as u8 & 1;
            }
        }
    }

    /// The fuel for looking up each row, if the rows are not contiguous.
    pub(super) fn gather_cost(&self) -> u64 {
        if self.selected.is_some() { self.count as u64 } else { 0 }
    }

    /// A word of validity bits per 64 rows; bits after the last row are 0.
    fn validity(&self, nulls: &NullBuffer) -> impl Iterator<Item = u64> {
        let contiguous = self.selected.is_none().then(|| {
            let start = nulls.offset().saturating_add(self.first);
            let chunks = BitChunks::new(nulls.validity(), start, self.count);
            chunks.iter().chain(std::iter::once(chunks.remainder_bits()))
        });
        let gathered = self.selected.unwrap_or_default().chunks(64).map(|rows| {
            let bits = rows.iter().enumerate().map(|(bit, &row)| u64::from(nulls.is_valid(row as usize)) << bit);
            bits.fold(0, |word, bit| word | bit)
        });
        // There is an additional empty word if the number of rows is a multiple of 64.
        contiguous.into_iter().flatten().chain(gathered).take(self.count.div_ceil(64))
    }

    /// The number of values that are not null.
    fn count_valid(&self, nulls: &NullBuffer) -> usize {
        match self.selected {
            None => {
                let start = nulls.offset().saturating_add(self.first);
                UnalignedBitChunk::new(nulls.validity(), start, self.count).count_ones()
            }
            Some(_) => self.validity(nulls).map(|word| word.count_ones() as usize).sum(),
        }
    }

    fn zero_nulls(&self, nulls: &NullBuffer, target: &mut [u8], width: usize) {
        if self.count_valid(nulls) == self.count {
            return;
        }
        for (targets, word) in target.chunks_mut(64 * width).zip(self.validity(nulls)) {
            if word == u64::MAX {
                continue;
            }
            for (bit, target) in targets.chunks_exact_mut(width).enumerate() {
                if word >> bit & 1 == 0 {
                    target.fill(0);
                }
            }
        }
    }
}

fn window_bytes(
    view: &View,
    memory: &mut [u8],
    purse: &mut Purse,
    [column, row, count, offsets, pointer, capacity]: [i32; 6],
) -> Answer {
    let (column, row, count) = column_range(view, column, row, count)?;
    if column.declared.width().is_some() {
        return Err(Status::BadType.into());
    }
    let offset_bytes = bytes_of(count.saturating_add(1), 4)?;
    // Both ranges are checked before writing. If they overlap, the offsets are written last.
    range_mut(memory, offsets, offset_bytes)?;
    let room = range_mut(memory, pointer, size(capacity))?;
    let selected = selected(view, row, count);
    if let (Values::Bytes(starts, data), None, None) = (&column.values, selected, &column.nulls) {
        // The values are contiguous, as the guest needs them: one copy.
        let starts = starts.get(row..row.saturating_add(count).saturating_add(1)).unwrap_or_default();
        let base = starts.first().map_or(0, |&start| start as usize);
        let fits = |start: &i32| (*start as usize).saturating_sub(base) <= room.len();
        let fitting = match starts.last() {
            Some(last) if fits(last) => starts.len(),
            _ => starts.partition_point(fits),
        };
        let starts = starts.get(..fitting).unwrap_or_default();
        let end = starts.last().map_or(base, |&end| end as usize);
        let bytes = data.get(base..end).unwrap_or_default();
        let values = fitting.saturating_sub(1);
        purse.pay((values as u64).saturating_add(bytes_cost(bytes.len())))?;
        if let Some(room) = room.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        let targets = range_mut(memory, offsets, offset_bytes)?;
        for (target, &start) in targets.as_chunks_mut::<4>().0.iter_mut().zip(starts) {
            // Arrow's offsets are below 2^31, and not below the first.
            *target = (start as u32).wrapping_sub(base as u32).to_le_bytes();
        }
        return Ok(answer(values)?);
    }
    let value = |position: usize| {
        let physical = match selected {
            Some(rows) => rows.get(position).map_or(0, |&row| row as usize),
            None => row.saturating_add(position),
        };
        bytes_at(column, physical)
    };
    // First the number of values that fit, then the values, then the offsets: nothing is allocated, and each step is paid for
    // before it is done.
    let (mut fitting, mut filled) = (0_usize, 0_usize);
    while fitting < count {
        purse.pay(1)?;
        let end = filled.saturating_add(value(fitting).len());
        if end > room.len() {
            break;
        }
        filled = end;
        fitting = fitting.saturating_add(1);
    }
    purse.pay(bytes_cost(filled))?;
    let mut rest = room;
    for position in 0..fitting {
        let value = value(position);
        let Some((target, after)) = rest.split_at_mut_checked(value.len()) else { break };
        target.copy_from_slice(value);
        rest = after;
    }
    let targets = range_mut(memory, offsets, offset_bytes)?;
    let mut end = 0_usize;
    for (position, target) in targets.as_chunks_mut::<4>().0.iter_mut().take(fitting.saturating_add(1)).enumerate() {
        // Below the size of the buffer, which is a `u32`.
        *target = (end as u32).to_le_bytes();
        if position < fitting {
            end = end.saturating_add(value(position).len());
        }
    }
    Ok(answer(fitting)?)
}

fn window_validity(
    view: &View,
    memory: &mut [u8],
    purse: &mut Purse,
    column: i32,
    row: i32,
    count: i32,
    pointer: i32,
) -> Answer {
    let (column, row, count) = column_range(view, column, row, count)?;
    let target = range_mut(memory, pointer, bitmap_bytes(count))?;
    if !column.may_be_null() {
        return Ok(1);
    }
    purse.pay(bytes_cost(target.len()))?;
    let Some(nulls) = &column.nulls else {
        target.fill(0);
        return Ok(i32::from(count == 0));
    };
    let rows = Rows { first: row, count, selected: selected(view, row, count) };
    purse.pay(rows.gather_cost())?;
    if rows.count_valid(nulls) == count {
        return Ok(1);
    }
    for (target, word) in target.chunks_mut(8).zip(rows.validity(nulls)) {
        let word = word.to_le_bytes();
        target.copy_from_slice(word.get(..target.len()).unwrap_or_default());
    }
    Ok(0)
}

/// `None` if index or row is wrong.
fn validity_word(view: &View, column: i32, row: i32) -> Option<i64> {
    let column = view.columns.get(size(column))?;
    let row = size(row);
    let left = view.rows.checked_sub(row).filter(|&left| left > 0)?;
    let count = left.min(64);
    let word = match &column.nulls {
        Some(nulls) => Rows { first: row, count, selected: selected(view, row, count) }.validity(nulls).next()?,
        None if column.may_be_null() => 0,
        None => u64::MAX >> (64 - count),
    };
    Some(word.cast_signed())
}

#[cfg(test)]
mod tests {
    use weir_batch::arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

    use super::*;
    use crate::purse::Stop;

    const ROWS: usize = 1_000;

    /// A text column with four bytes per row and an integer column; every third value of both is null if they are nullable.
    fn view(nullable: bool, selected: bool) -> View {
        let nulls = || nullable.then(|| NullBuffer::from((0..ROWS).map(|row| row % 3 > 0).collect::<Vec<_>>()));
        let offsets = OffsetBuffer::new((0..=ROWS).map(|row| row as i32 * 4).collect::<Vec<_>>().into());
        let column = |declared, values| Column { declared, values, nulls: nulls() };
        View {
            columns: vec![
                column(DataType::Utf8, Values::Bytes(offsets, Buffer::from(vec![b'x'; 4 * ROWS]))),
                column(DataType::I64, Values::I64(ScalarBuffer::from(vec![7; ROWS]))),
            ],
            rows: ROWS,
            selection: selected.then(|| ScalarBuffer::from((0..ROWS as u32).rev().collect::<Vec<_>>())),
        }
    }

    /// With one unit of fuel too little, the call does nothing; with enough fuel, it returns the expected result.
    fn check(call: impl Fn(&mut [u8], &mut Purse) -> Answer, expect: i32) {
        let run = |fuel| {
            let mut memory = vec![0xaa; 32 << 10];
            let mut purse = Purse::new(fuel);
            let answer = match call(&mut memory, &mut purse) {
                Ok(answer) => Some(answer),
                Err(Stop::Fuel) => None,
                Err(Stop::Status(status)) => panic!("{status:?}"),
            };
            (answer, memory.iter().any(|&byte| byte != 0xaa), purse.spent())
        };
        let (answer, _, cost) = run(u64::MAX);
        assert_eq!(answer, Some(expect));
        assert!(cost > 0);
        assert_eq!(run(cost).0, Some(expect));
        for left in [0, cost / 2, cost - 1] {
            let (answer, written, _) = run(left);
            assert_eq!((answer, written), (None, false), "{left} of {cost}");
        }
    }

    #[test]
    fn reading_is_paid_for_before_it_is_done() {
        for (nullable, selected) in [(false, false), (true, false), (false, true), (true, true)] {
            let view = view(nullable, selected);
            let rows = ROWS as i32;
            let bytes = |capacity: i32| {
                let view = &view;
                move |memory: &mut [u8], purse: &mut Purse| {
                    window_bytes(view, memory, purse, [0, 0, rows, 8, 8_192, capacity])
                }
            };
            check(bytes(4 * rows), rows);
            // With room for some values and for none: nothing is done for the others.
            check(bytes(400), if nullable { 151 } else { 100 });
            check(|memory, purse| window(&view, memory, purse, 1, 0, rows, 8), rows);
            if nullable {
                check(|memory, purse| window_validity(&view, memory, purse, 1, 0, rows, 8), 0);
            }
            check(|memory, purse| get_bytes(&view, memory, purse, 0, 1, 8, 64), 4);
        }
    }

    #[test]
    fn a_window_of_text_of_which_nothing_fits_costs_a_look_at_one_value() {
        let view = view(true, true);
        let mut purse = Purse::new(u64::MAX);
        let mut memory = vec![0; 32 << 10];
        // The last row is null, and the one before it is not.
        let answer = window_bytes(&view, &mut memory, &mut purse, [0, 1, 900, 8, 8_192, 3]);
        assert!(matches!(answer, Ok(0)));
        assert_eq!(purse.spent(), 1);
    }
}
