//! Every form of function that is allowed, in a crate that forbids unsafe code.
#![forbid(unsafe_code)]
#![deny(warnings)]
use weir_guest::prelude::*;

#[derive(Row)]
struct Flight<'a> {
    origin: &'a str,
    delay: i64,
    #[row(name = "_timestamp")]
    time: Option<Timestamp>,
}

#[derive(Row)]
struct Delay {
    delay: i64,
}

#[derive(Row)]
struct Named<'a> {
    name: &'a str,
    class: &'static str,
}

#[derive(Params)]
struct Lateness {
    #[param(default = 60, help = "minutes")]
    min_delay: i64,
    airport: String,
}

type Answer = Result<Option<Delay>, std::num::ParseIntError>;

#[transform]
fn filter(delay: Delay) -> bool {
    delay.delay > 0
}

#[transform]
fn by_reference(flight: &Flight<'_>, lateness: &Lateness) -> bool {
    flight.delay > lateness.min_delay && flight.origin == lateness.airport && flight.time.is_some()
}

#[transform]
fn borrowed<'a>(flight: Flight<'a>, lateness: &Lateness) -> Option<Named<'a>> {
    (flight.delay > lateness.min_delay).then_some(Named { name: flight.origin, class: "late" })
}

#[transform]
fn destructured(Flight { origin, delay, .. }: Flight<'_>) -> Vec<Delay> {
    vec![Delay { delay: delay + origin.len() as i64 }]
}

#[transform]
fn iterator(flight: Flight<'_>) -> impl Iterator<Item = Delay> {
    (0..flight.delay).map(|delay| Delay { delay })
}

#[transform]
fn fallible_iterator(flight: Flight<'_>) -> Result<impl Iterator<Item = Delay>, String> {
    if flight.delay < 0 { Err(format!("{} is early", flight.origin)) } else { Ok((0..flight.delay).map(|delay| Delay { delay })) }
}

#[transform]
fn alias(flight: Flight<'_>) -> Answer {
    flight.origin.parse().map(|delay| Some(Delay { delay }))
}

mod inner {
    use super::Delay;

    #[weir_guest::prelude::transform]
    pub(super) fn map(delay: Delay) -> Delay {
        delay
    }
}

fn main() {
    let flight = |origin| Flight { origin, delay: 2, time: None };
    let lateness = Lateness { min_delay: 1, airport: "SEA".to_owned() };
    assert!(filter(inner::map(Delay { delay: 1 })));
    assert!(!by_reference(&flight("SEA"), &lateness));
    assert_eq!(borrowed(flight("SEA"), &lateness).map(|named| (named.name, named.class)), Some(("SEA", "late")));
    assert_eq!(destructured(flight("SEA"))[0].delay, 5);
    assert_eq!(iterator(flight("SEA")).count(), 2);
    assert_eq!(fallible_iterator(flight("SEA")).map(Iterator::count), Ok(2));
    assert!(alias(flight("7")).is_ok() && alias(flight("SEA")).is_err());
}
