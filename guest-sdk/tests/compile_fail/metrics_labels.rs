#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Default, MetricSet)]
struct Delays {
    #[metric(labels("origin", "destination"))]
    flights: Counter<1>,
}

#[metrics]
impl Metrics for Delays {
    type Row<'a> = Flight<'a>;

    fn observe(&mut self, flight: Flight<'_>) {
        let _ = flight.delay;
    }
}

fn main() {}
