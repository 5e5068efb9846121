#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Params)]
struct Lateness {
    #[param(default = "sixty")]
    min_delay: i64,
}

fn main() {}
