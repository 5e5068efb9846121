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

/// The first of each origin.
struct First {
    seen: std::collections::HashSet<String>,
    airport: String,
}

#[transform]
impl First {
    fn start(lateness: Lateness) -> Self {
        First { seen: Default::default(), airport: lateness.airport }
    }

    fn apply(&mut self, flight: Flight<'_>) -> bool {
        flight.origin == self.airport || self.seen.insert(flight.origin.to_owned())
    }
}

#[derive(Default)]
struct Running(i64);

#[transform(name = "running_total")]
impl Running {
    fn apply(&mut self, delay: &Delay) -> Result<impl Iterator<Item = Delay>, String> {
        self.0 = self.0.checked_add(delay.delay).ok_or("too much")?;
        Ok(std::iter::once(Delay { delay: self.0 }))
    }
}

struct Above(i64);

#[transform]
impl Above {
    fn start(lateness: &Lateness) -> Above {
        Above(lateness.min_delay)
    }

    fn apply<'a>(&mut self, flight: Flight<'a>) -> Option<Named<'a>> {
        self.helper(flight.delay).then_some(Named { name: flight.origin, class: "late" })
    }

    fn helper(&mut self, delay: i64) -> bool {
        std::mem::replace(&mut self.0, delay) < delay
    }
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
    let mut first = First::start(Lateness { min_delay: 0, airport: "LAX".to_owned() });
    assert_eq!(["SEA", "LAX", "SEA", "LAX"].map(|origin| first.apply(flight(origin))), [true, true, false, true]);
    let mut running = Running::default();
    assert_eq!([1, 2].map(|delay| running.apply(&Delay { delay }).map(|mut rows| rows.next().map(|row| row.delay))), [Ok(Some(1)), Ok(Some(3))]);
    let mut above = Above::start(&lateness);
    assert_eq!(above.apply(flight("SEA")).map(|named| named.name), Some("SEA"));
    assert!(above.apply(flight("SEA")).is_none());
    assert!(alias(flight("7")).is_ok() && alias(flight("SEA")).is_err());
}
