#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[transform]
async fn late(flight: Flight<'_>) -> bool {
    flight.delay > 60
}

fn main() {}
