#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Row)]
struct Keyed {
    _offset: Option<i64>,
}

#[transform]
fn keyed(flight: Flight<'_>) -> Keyed {
    Keyed { _offset: Some(flight.delay) }
}

fn main() {}
