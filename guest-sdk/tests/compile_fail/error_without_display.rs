#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

struct Implausible;

#[transform]
fn checked(flight: Flight<'_>) -> Result<bool, Implausible> {
    if flight.delay < 0 { Err(Implausible) } else { Ok(true) }
}

fn main() {}
