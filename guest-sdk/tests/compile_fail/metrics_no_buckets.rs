#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Default, MetricSet)]
struct Delays {
    delays: Histogram,
}

#[metrics]
impl Metrics for Delays {
    type Row<'a> = Flight<'a>;

    fn observe(&mut self, flight: Flight<'_>) {
        let _ = flight.delay;
    }
}

fn main() {}
