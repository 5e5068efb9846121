#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[transform]
fn delay(flight: Flight<'_>) -> i64 {
    flight.delay
}

fn main() {}
