#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Default)]
struct Late;

#[transform]
impl Late {
    fn apply(&self, flight: Flight<'_>) -> bool {
        flight.delay > flight.origin.len() as i64
    }
}

fn main() {}
