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
impl Delays {}

fn main() {}
