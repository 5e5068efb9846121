#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[transform]
fn nothing(flight: Flight<'_>) {
    let _ = flight.delay;
}

fn main() {}
