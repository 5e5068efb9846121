//! The trace contexts with which a batch's records arrived.

use weir_batch::arrow::array::{Array, AsArray};
use weir_batch::{Batch, TraceContext};

use super::LINKS_MAX;

/// The header that carries a W3C trace context.
const TRACEPARENT: &str = "traceparent";

/// The distinct contexts in the `traceparent` headers of a batch, up to [`LINKS_MAX`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    /// In the order of the records, at most [`LINKS_MAX`].
    pub(super) contexts: Vec<TraceContext>,
    /// Headers whose context did not fit.
    pub(super) unlinked: u32,
    /// Headers that are not valid trace contexts.
    pub(super) malformed: u64,
    /// Whether at least one context, including those that did not fit, belongs to a recorded trace.
    pub(super) sampled: bool,
}

impl Arrived {
    /// Reads the headers of every row that counts. Free if no record has headers; one comparison per record if all records have the
    /// same context.
    pub(super) fn of(batch: &Batch) -> Arrived {
        let mut arrived = Arrived::default();
        let Some(lists) = &batch.system().headers else { return arrived };
        let pairs = lists.values().as_struct_opt().filter(|pairs| pairs.num_columns() == 2);
        let Some(names) = pairs.and_then(|pairs| pairs.column(0).as_string_opt::<i32>()) else { return arrived };
        let Some(values) = pairs.and_then(|pairs| pairs.column(1).as_binary_opt::<i32>()) else { return arrived };
        let mut before: Option<&[u8]> = None;
        for row in (0..batch.rows()).filter_map(|row| batch.physical_row(row)).filter(|&row| lists.is_valid(row)) {
            let offset = |row: usize| lists.value_offsets().get(row).and_then(|&offset| usize::try_from(offset).ok());
            let (Some(begin), Some(end)) = (offset(row), offset(row + 1)) else { continue };
            for header in (begin..end).filter(|&header| names.value(header).eq_ignore_ascii_case(TRACEPARENT)) {
                let value = if values.is_valid(header) { values.value(header) } else { &[] };
                if before == Some(value) {
                    continue;
                }
                before = arrived.add(value).then_some(value);
            }
        }
        arrived
    }

    /// Returns whether adding the same value again would change nothing.
    fn add(&mut self, value: &[u8]) -> bool {
        let Some(context) = std::str::from_utf8(value).ok().and_then(|text| text.parse::<TraceContext>().ok()) else {
            self.malformed += 1;
            return false;
        };
        if self.contexts.contains(&context) {
            return true;
        }
        let has_room = self.contexts.len() < LINKS_MAX;
        if has_room {
            self.contexts.push(context);
        } else {
            self.unlinked = self.unlinked.saturating_add(1);
            // Only recorded traces can be viewed, so at least one of them must be among the links.
            if let Some(last) = self.contexts.last_mut().filter(|_| context.sampled() && !self.sampled) {
                *last = context;
            }
        }
        self.sampled |= context.sampled();
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_batch::arrow::array::{ArrayRef, BinaryArray, ListArray, StringArray, StructArray};
    use weir_batch::arrow::buffer::{BooleanBuffer, OffsetBuffer};
    use weir_batch::arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields};
    use weir_batch::{Schema, SystemColumns};

    use super::*;

    /// A batch whose records have these headers.
    fn batch(records: &[&[(&str, Option<&str>)]]) -> Batch {
        let headers = || records.iter().copied().flatten();
        let names = StringArray::from_iter_values(headers().map(|(name, _)| name));
        let values = BinaryArray::from_iter(headers().map(|(_, value)| value.map(str::as_bytes)));
        let fields = Fields::from(vec![
            ArrowField::new("key", ArrowType::Utf8, false),
            ArrowField::new("value", ArrowType::Binary, true),
        ]);
        let pairs = StructArray::new(fields, vec![Arc::new(names) as ArrayRef, Arc::new(values)], None);
        let item = Arc::new(ArrowField::new("item", pairs.data_type().clone(), false));
        let lengths = OffsetBuffer::from_lengths(records.iter().map(|record| record.len()));
        let lists = ListArray::new(item, lengths, Arc::new(pairs), None);
        let schema = Arc::new(Schema::new(Vec::new()).unwrap());
        let batch = Batch::with_rows(schema, Vec::new(), records.len()).unwrap();
        batch.with_system(SystemColumns::default().with(|it| it.headers = Some(lists))).unwrap()
    }

    fn parent(span: u64, flags: u8) -> String {
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span:016x}-{flags:02x}")
    }

    #[test]
    fn distinct_contexts_are_found_in_the_order_of_the_records() {
        let (one, two) = (parent(1, 0), parent(2, 0));
        let arrived = Arrived::of(&batch(&[
            &[("other", Some("x")), ("traceparent", Some(&one))],
            &[],
            &[("TraceParent", Some(&two))],
            &[("traceparent", Some(&one))],
        ]));
        assert_eq!(arrived.contexts, [one.parse().unwrap(), two.parse().unwrap()]);
        assert_eq!((arrived.unlinked, arrived.malformed, arrived.sampled), (0, 0, false));
    }

    #[test]
    fn what_is_no_context_is_counted_and_left_out() {
        let arrived = Arrived::of(&batch(&[
            &[("traceparent", Some("00-nonsense"))],
            &[("traceparent", Some("00-nonsense"))],
            &[("traceparent", None)],
            &[("traceparent", Some(&parent(0, 1)))],
        ]));
        assert_eq!(arrived, Arrived { malformed: 4, ..Arrived::default() });
        assert_eq!(Arrived::of(&batch(&[])), Arrived::default());
    }

    #[test]
    fn links_are_bounded_and_a_recorded_trace_is_among_them() {
        let parents: Vec<String> = (1..=40).map(|span| parent(span, u8::from(span == 38))).collect();
        let headers: Vec<[(&str, Option<&str>); 1]> =
            parents.iter().map(|parent| [("traceparent", Some(parent.as_str()))]).collect();
        let records: Vec<&[(&str, Option<&str>)]> = headers.iter().map(|headers| headers.as_slice()).collect();
        let arrived = Arrived::of(&batch(&records));
        assert_eq!((arrived.contexts.len(), arrived.unlinked, arrived.sampled), (LINKS_MAX, 8, true));
        assert_eq!(arrived.contexts.last().unwrap().to_string(), parents[37]);
        assert_eq!(arrived.contexts[0].to_string(), parents[0]);
    }

    #[test]
    fn records_that_were_filtered_out_do_not_count() {
        let (one, two) = (parent(1, 1), parent(2, 0));
        let both = Arc::new(batch(&[&[("traceparent", Some(&one))], &[("traceparent", Some(&two))]]));
        let kept = both.filter(&BooleanBuffer::from(vec![false, true])).unwrap();
        assert_eq!(Arrived::of(&kept).contexts, [two.parse().unwrap()]);
    }
}
