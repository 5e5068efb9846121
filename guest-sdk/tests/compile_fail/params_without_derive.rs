#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

struct Lateness {
    min_delay: i64,
}

#[transform]
fn late(flight: Flight<'_>, lateness: &Lateness) -> bool {
    flight.delay > lateness.min_delay
}

fn main() {}
