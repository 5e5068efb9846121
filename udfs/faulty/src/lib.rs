//! Functions that each fail on one record in a different way. The query determines what happens to the record and the others.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashSet;

use weir_guest::prelude::*;

/// A record's number.
#[derive(Row)]
pub struct Record {
    /// The number.
    pub id: i64,
}

/// Which record fails.
#[derive(Params)]
pub struct At {
    /// Its number; with the default, none.
    #[param(default = -1)]
    pub at: i64,
}

/// Panics at one record, and lets the others pass.
#[transform]
pub fn panics(record: Record, params: &At) -> bool {
    assert!(record.id != params.at, "record {} is the one", record.id);
    true
}

/// Never comes back from one record, and lets the others pass.
#[transform]
pub fn loops(record: Record, params: &At) -> bool {
    // The compiler must not see that the way out is never taken.
    while std::hint::black_box(record.id) == params.at {}
    true
}

/// Which record is dear, and how dear.
#[derive(Params)]
pub struct Burn {
    /// Its number; with the default, none.
    #[param(default = -1)]
    pub at: i64,
    /// How often it goes round: a nanosecond or so each.
    #[param(default = 0)]
    pub rounds: i64,
}

/// Works over one record for a while and panics then, and lets the others pass.
#[transform]
pub fn burns(record: Record, params: &Burn) -> bool {
    if record.id == params.at {
        for round in 0..params.rounds {
            std::hint::black_box(round);
        }
        panic!("record {} is the one", record.id);
    }
    true
}

/// Works over each record for a while, and lets all pass.
#[transform]
pub fn dear(_record: Record, params: &Burn) -> bool {
    for round in 0..params.rounds {
        std::hint::black_box(round);
    }
    true
}

/// Refuses one record, and lets the others pass.
#[transform]
pub fn refuses(record: Record, params: &At) -> Result<bool, String> {
    if record.id == params.at { Err(format!("record {} is not wanted", record.id)) } else { Ok(true) }
}

/// A record's number, twice.
#[derive(Row, Debug, PartialEq)]
pub struct Copy {
    /// Which of the copies: 0 or 1.
    pub copy: i64,
}

/// Makes two records of each even one and none of the odd ones; panics at one.
#[transform]
pub fn doubles(record: Record, params: &At) -> Vec<Copy> {
    assert!(record.id != params.at, "record {} is the one", record.id);
    if record.id % 2 == 0 { vec![Copy { copy: 0 }, Copy { copy: 1 }] } else { Vec::new() }
}

/// The numbers that were seen.
pub struct Fresh {
    seen: HashSet<i64>,
    at: i64,
}

/// Lets each number pass once, and panics at one. Keeps what it has seen.
#[transform]
impl Fresh {
    /// Has seen nothing.
    pub fn start(at: At) -> Fresh {
        Fresh { seen: HashSet::new(), at: at.at }
    }

    /// Whether the number is new.
    pub fn apply(&mut self, record: Record) -> bool {
        assert!(record.id != self.at, "record {} is the one", record.id);
        self.seen.insert(record.id)
    }
}

/// Lets each number pass once, and keeps what it has seen where its manifest does not say.
#[transform]
pub fn secretly_fresh(record: Record) -> bool {
    thread_local! {
        static SEEN: RefCell<HashSet<i64>> = RefCell::default();
    }
    SEEN.with_borrow_mut(|seen| seen.insert(record.id))
}

/// How many records, and which.
#[derive(Default, MetricSet)]
pub struct Seen {
    /// Records seen.
    #[metric(unit = "{record}")]
    pub records: Counter,
    /// Records by their last digit.
    #[metric(unit = "{record}", labels("digit"))]
    pub digits: Counter<1>,
}

/// Counts records.
#[metrics]
impl Metrics for Seen {
    type Row<'a> = Record;

    fn observe(&mut self, record: Record) {
        self.records.inc();
        self.digits.with([&(record.id % 10).to_string()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_pass() {
        let at = At { at: 7 };
        assert!(panics(Record { id: 6 }, &at) && loops(Record { id: 6 }, &at));
        assert!(burns(Record { id: 6 }, &Burn { at: 7, rounds: i64::MAX }));
        assert!(dear(Record { id: 7 }, &Burn { at: 7, rounds: 3 }));
        assert_eq!(refuses(Record { id: 7 }, &at), Err("record 7 is not wanted".to_owned()));
        assert_eq!(doubles(Record { id: 2 }, &at).len() + doubles(Record { id: 3 }, &at).len(), 2);
    }

    #[test]
    fn numbers_pass_once() {
        let mut fresh = Fresh::start(At { at: 7 });
        assert_eq!([1, 2, 1].map(|id| fresh.apply(Record { id })), [true, true, false]);
        assert_eq!([1, 2, 1].map(|id| secretly_fresh(Record { id })), [true, true, false]);
    }

    #[test]
    #[should_panic(expected = "record 7 is the one")]
    fn the_one_panics() {
        panics(Record { id: 7 }, &At { at: 7 });
    }

    #[test]
    fn records_are_counted() {
        let mut seen = Seen::default();
        (0..25).for_each(|id| seen.observe(Record { id }));
        assert_eq!((seen.records.value(), seen.digits.with(["3"]).value()), (25.0, 3.0));
    }
}
