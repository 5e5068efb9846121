#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Default, MetricSet)]
struct Delays {
    flights: Counter,
}

#[metrics]
impl Metrics for Delays {
    fn observe(&mut self, flight: Flight<'_>) {
        let _ = flight.delay;
    }
}

fn main() {}
