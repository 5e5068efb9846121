#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

struct Late(i64);

#[transform]
impl Late {
    fn apply(&mut self, flight: Flight<'_>) -> bool {
        self.0 += flight.delay;
        self.0 > flight.origin.len() as i64
    }
}

fn main() {}
