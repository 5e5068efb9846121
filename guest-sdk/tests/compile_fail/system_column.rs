#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Row)]
struct Keyed {
    #[row(name = "_key")]
    key: i64,
}

#[transform]
fn keyed(keyed: Keyed) -> bool {
    keyed.key > 0
}

fn main() {}
