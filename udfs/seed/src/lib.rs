//! Functions for the seed workload: records with an id, a name and a value. The functions are small, so that benches measure the
//! path of a record and not the work on it.
#![forbid(unsafe_code)]

use weir_guest::prelude::*;
use weir_guest::raw;

/// A record's value alone.
#[derive(Row)]
pub struct Value {
    /// Any number.
    pub value: f64,
}

/// The least value that `pass` keeps.
#[derive(Params)]
pub struct Least {
    /// The least value that is kept.
    #[param(default = -1.0)]
    pub least: f64,
}

/// Keeps records from a least value on: with the default, all of the seed workload's.
#[transform]
pub fn pass(value: Value, least: &Least) -> bool {
    value.value >= least.least
}

/// A record's numbers.
#[derive(Row)]
pub struct Numbers {
    /// The record's number.
    pub id: i64,
    /// Any number.
    pub value: f64,
}

/// Keeps records whose id is even and whose value is above 100.
#[transform]
pub fn two_field(numbers: Numbers) -> bool {
    is_wanted(numbers.id, numbers.value)
}

/// Keeps records whose id is even and whose value is above 100, by a host call for each field.
#[raw::raw_filter(Numbers)]
pub fn two_field_getters(rows: u32) {
    raw::emit_filter_with(rows, |row| is_wanted(raw::get_i64(0, row), raw::get_f64(1, row)));
}

/// Both are looked at, so that there is no branch to mispredict.
fn is_wanted(id: i64, value: f64) -> bool {
    (id & 1 == 0) & (value > 100.0)
}

/// A product.
#[derive(Row, Debug, PartialEq)]
pub struct Product {
    /// Id times value.
    pub product: f64,
}

/// Id times value.
#[transform]
pub fn product(numbers: Numbers) -> Product {
    Product { product: numbers.id as f64 * numbers.value }
}

/// How many records, and of which values.
#[derive(Default, MetricSet)]
pub struct Totals {
    /// Records seen.
    #[metric(unit = "{record}")]
    pub records: Counter,
    /// Their values.
    #[metric(buckets(0, 250, 500, 750, 1000, 1250))]
    pub values: Histogram,
}

/// Counts records and their values.
#[metrics]
impl Metrics for Totals {
    type Row<'a> = Value;

    fn observe(&mut self, value: Value) {
        self.records.inc();
        self.values.observe(value.value);
    }
}

/// As `totals`, but for the records: what a bench takes off to find what these cost.
#[derive(Default, MetricSet)]
pub struct Idle {
    /// Records with a negative value, of which the seed workload has none.
    #[metric(unit = "{record}")]
    pub negative: Counter,
}

/// Looks at every value, and finds nothing to count.
#[metrics]
impl Metrics for Idle {
    type Row<'a> = Value;

    fn observe(&mut self, value: Value) {
        if value.value < 0.0 {
            self.negative.inc();
        }
    }
}

/// How many records.
#[derive(Default, MetricSet)]
pub struct Records {
    /// Records seen.
    #[metric(unit = "{record}")]
    pub records: Counter,
}

/// Counts records, one by one.
#[metrics]
impl Metrics for Records {
    type Row<'a> = Value;

    fn observe(&mut self, _value: Value) {
        self.records.inc();
    }
}

/// Of which values.
#[derive(Default, MetricSet)]
pub struct Values {
    /// The values.
    #[metric(buckets(0, 250, 500, 750, 1000, 1250))]
    pub values: Histogram,
}

/// Observes values.
#[metrics]
impl Metrics for Values {
    type Row<'a> = Value;

    fn observe(&mut self, value: Value) {
        self.values.observe(value.value);
    }
}

/// As `totals`, of whole columns.
#[derive(Default, MetricSet)]
pub struct Columns {
    /// Records seen.
    #[metric(unit = "{record}")]
    pub records: Counter,
    /// Their values.
    #[metric(buckets(0, 250, 500, 750, 1000, 1250))]
    pub values: Histogram,
}

/// Counts records and their values without reading them.
#[metrics]
impl Metrics for Columns {
    type Row<'a> = Value;

    fn observe(&mut self, value: Value) {
        self.records.inc();
        self.values.observe(value.value);
    }

    fn observe_batch(&mut self, rows: u32) -> bool {
        self.records.add(rows);
        self.values.observe_column(0, rows);
        true
    }
}

/// How many records, by a label.
#[derive(Default, MetricSet)]
pub struct Sides {
    /// Records with a value below 750, and the others.
    #[metric(unit = "{record}", labels("side"))]
    pub sides: Counter<1>,
}

/// Counts records by a label.
#[metrics]
impl Metrics for Sides {
    type Row<'a> = Value;

    fn observe(&mut self, value: Value) {
        self.sides.with([if value.value < 750.0 { "low" } else { "high" }]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed workload's template.
    fn template() -> impl Iterator<Item = Numbers> {
        (0..1000).map(|i| Numbers { id: i, value: i as f64 * 1.5 })
    }

    #[test]
    fn the_seed_workload_passes() {
        assert!(template().all(|numbers| pass(Value { value: numbers.value }, &Least { least: -1.0 })));
        assert!(!pass(Value { value: f64::NAN }, &Least { least: -1.0 }));
    }

    #[test]
    fn two_fields_decide() {
        // Even ids from 68 on: 67 x 1.5 is the first value above 100.
        assert_eq!(template().filter(|numbers| two_field(Numbers { ..*numbers })).count(), 466);
    }

    #[test]
    fn a_product_is_of_both() {
        assert_eq!(product(Numbers { id: 4, value: 2.5 }), Product { product: 10.0 });
    }

    #[test]
    fn totals_count_and_sum() {
        let mut totals = Totals::default();
        for numbers in template() {
            totals.observe(Value { value: numbers.value });
        }
        assert_eq!((totals.records.value(), totals.values.count()), (1000.0, 1000));
        assert_eq!(totals.values.sum(), 1.5 * 499_500.0);
    }

    #[test]
    fn each_metric_by_itself_says_the_same() {
        let (mut idle, mut records, mut values, mut sides) =
            (Idle::default(), Records::default(), Values::default(), Sides::default());
        for Numbers { value, .. } in template() {
            idle.observe(Value { value });
            records.observe(Value { value });
            values.observe(Value { value });
            sides.observe(Value { value });
        }
        assert_eq!((idle.negative.value(), records.records.value(), values.values.count()), (0.0, 1000.0, 1000));
        assert_eq!((sides.sides.with(["low"]).value(), sides.sides.with(["high"]).value()), (500.0, 500.0));
    }
}
