#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[transform]
fn late(flight: Flight<'_>, least: &i64, most: &i64) -> bool {
    (*least..*most).contains(&flight.delay)
}

fn main() {}
