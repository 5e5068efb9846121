#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

struct Late {
    minutes: i64,
}

#[transform]
fn late(flight: Flight<'_>) -> Option<Late> {
    Some(Late { minutes: flight.delay })
}

fn main() {}
