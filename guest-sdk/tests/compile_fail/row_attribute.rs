#![forbid(unsafe_code)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
}

#[derive(Row)]
struct Late {
    #[row(rename = "type")]
    kind: i64,
}

fn main() {}
