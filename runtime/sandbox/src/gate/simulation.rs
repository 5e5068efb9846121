//! Callers on simulated cores, by a simulated clock: the share of CPU time that each gets, exactly and every time.

use std::fmt::Write;
use std::task::Waker;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};

use super::seats::{Departure, Place, Seating, Seats};
use crate::Limits;

const TICK: Duration = Duration::from_millis(2);
const STEP: Duration = Duration::from_micros(2);

/// Somebody who calls, pauses, and calls again.
struct Caller {
    place: Place,
    call: Duration,
    pause: Duration,
    /// Whether the pause is work of the host, which needs a core as well.
    works: bool,
    doing: Doing,
    cpu: Duration,
    calls: u32,
    /// The number of calls after which it waits, and for how long.
    burst: Option<(u32, Duration)>,
}

enum Doing {
    /// Between calls; so much is left of the pause.
    Pausing(Duration),
    /// For a seat. What is left of the call, and the ticket.
    Waiting(Duration, u64),
    /// On a seat. What is left of the call, and what was not told at a tick.
    Running(Duration, Duration, Seating),
}

struct World {
    /// Thousandths of a core, which the process gets however many threads it has.
    cores: u32,
    seats: Seats,
    callers: Vec<Caller>,
    now: Instant,
}

impl World {
    fn new(cores: u32) -> World {
        World {
            cores: cores * 1_000,
            seats: Seats::new(cores as usize, TICK),
            callers: Vec::new(),
            now: Instant::now(),
        }
    }

    fn tenant(&mut self, weight: u32) -> usize {
        self.seats.open_tenant(&Limits::default().with(|it| it.cpu_weight = weight), self.now)
    }

    /// A query: its number of instances, the length of their calls, and the pauses between them.
    fn query(&mut self, tenant: usize, instances: usize, call_us: u64, pause_us: u64, works: bool) {
        let place = Place { tenant, party: self.seats.open_party(tenant) };
        for _ in 0..instances {
            let (call, pause) = (Duration::from_micros(call_us), Duration::from_micros(pause_us));
            self.callers.push(Caller {
                place,
                call,
                pause,
                works,
                doing: Doing::Pausing(Duration::ZERO),
                cpu: Duration::ZERO,
                calls: 0,
                burst: None,
            });
        }
    }

    fn ask(&mut self, index: usize, left: Duration) {
        let caller = &mut self.callers[index];
        caller.doing = match self.seats.ask(caller.place, self.now) {
            Some(seating) => Doing::Running(left, Duration::ZERO, seating),
            None => Doing::Waiting(left, self.seats.queue(caller.place, Waker::noop().clone())),
        };
        self.seats.seat_waiting(self.now);
    }

    /// Those that run share the cores, as threads do.
    fn step(&mut self, is_tick: bool) {
        self.now += STEP;
        if is_tick {
            self.seats.seat_waiting(self.now);
        }
        for index in 0..self.callers.len() {
            let caller = &mut self.callers[index];
            match caller.doing {
                Doing::Pausing(left) if left.is_zero() => {
                    let call = caller.call;
                    self.ask(index, call);
                }
                Doing::Waiting(left, ticket) => {
                    if self.seats.is_granted(caller.place, ticket, Waker::noop()) {
                        caller.doing = Doing::Running(left, Duration::ZERO, Seating::Own);
                    }
                }
                Doing::Running(left, untold, seating) if is_tick => {
                    caller.doing = Doing::Running(left, Duration::ZERO, seating);
                    if self.seats.at_tick(caller.place, untold, seating, self.now) {
                        self.seats.leave(caller.place, Duration::ZERO, Departure::MadeWay, self.now);
                        self.ask(index, left);
                    }
                }
                Doing::Pausing(_) | Doing::Running(..) => {}
            }
        }
        let runs = |caller: &&mut Caller| match caller.doing {
            Doing::Pausing(_) => caller.works,
            Doing::Waiting(..) => false,
            Doing::Running(..) => true,
        };
        let threads = u32::try_from(self.callers.iter_mut().filter(runs).count()).unwrap();
        let part = STEP * self.cores.min(threads * 1_000) / threads.max(1) / 1_000;
        for index in 0..self.callers.len() {
            let caller = &mut self.callers[index];
            match &mut caller.doing {
                Doing::Pausing(left) => *left = left.saturating_sub(if caller.works { part } else { STEP }),
                Doing::Waiting(..) => {}
                Doing::Running(left, untold, _) => {
                    let part = part.min(*left);
                    caller.cpu += part;
                    *left -= part;
                    *untold += part;
                    if left.is_zero() {
                        let untold = *untold;
                        caller.calls += 1;
                        let rests = caller.burst.filter(|(calls, _)| caller.calls.is_multiple_of(*calls));
                        caller.doing = Doing::Pausing(rests.map_or(caller.pause, |(_, rest)| rest));
                        self.seats.leave(caller.place, untold, Departure::Ended, self.now);
                    }
                }
            }
        }
    }

    /// Lets time pass, and then half a second; of that, the CPU time that each query had, in thousandths of a core.
    fn run(mut self) -> Vec<u128> {
        const TICKS: u32 = 250;
        let steps = TICK.as_micros() / STEP.as_micros();
        for tick in 0..TICKS + TICKS / 2 {
            if tick == TICKS / 2 {
                self.callers.iter_mut().for_each(|caller| caller.cpu = Duration::ZERO);
            }
            (0..steps).for_each(|step| self.step(step == 0));
        }
        let queries = self.callers.chunk_by(|one, other| one.place == other.place);
        let cpu = queries.map(|query| query.iter().map(|caller| caller.cpu).sum::<Duration>());
        cpu.map(|cpu| cpu.as_micros() * 1_000 / (TICK * TICKS).as_micros()).collect()
    }
}

/// A query's name, the number of its instances, the microseconds of a call and of the pause after it, and whether the host works
/// in that.
type Query = (&'static str, usize, u64, u64, bool);

const LONG: Query = ("long", 1, 20_000, 10, true);
const SHORT: Query = ("short", 1, 10, 2, true);
const LONGS: Query = ("8 long", 8, 20_000, 10, true);
const SHORTS: Query = ("8 short", 8, 10, 2, true);

/// What queries of tenants with these weights get on this many cores, in thousandths of a core.
fn check(cores: u32, cases: &[&[(u32, &[Query])]], expect: Expect) {
    check_on(cores, cores * 1_000, cases, expect);
}

/// The same, in a process that gets this number of thousandths of a core.
fn check_on(seats: u32, cores: u32, cases: &[&[(u32, &[Query])]], expect: Expect) {
    let mut table = String::new();
    for tenants in cases {
        let (mut world, mut names) = (World::new(seats), Vec::new());
        world.cores = cores;
        for (weight, queries) in *tenants {
            let tenant = world.tenant(*weight);
            for &(name, instances, call, pause, works) in *queries {
                world.query(tenant, instances, call, pause, works);
                names.push(format!("{name} of {weight}"));
            }
        }
        let had = names.iter().zip(world.run()).map(|(name, cpu)| format!("{name}: {cpu}"));
        writeln!(table, "{}", had.collect::<Vec<_>>().join(", ")).unwrap();
    }
    expect.assert_eq(&table);
}

#[test]
fn short_calls_get_as_much_as_long_ones() {
    let (short, long, shorts, longs): (&[_], &[_], &[_], &[_]) = (&[SHORT], &[LONG], &[SHORTS], &[LONGS]);
    let two: &[&[_]] = &[&[(100, short), (100, long), (100, long), (100, long)], &[(100, shorts), (100, longs)]];
    check(
        2,
        two,
        expect![[r#"
            short of 100: 474, long of 100: 477, long of 100: 474, long of 100: 476
            8 short of 100: 896, 8 long of 100: 896
        "#]],
    );
    let one: &[&[_]] = &[&[(100, short), (100, long)], &[(100, short), (100, short), (100, long)]];
    check(
        1,
        one,
        expect![[r#"
            short of 100: 452, long of 100: 456
            short of 100: 294, short of 100: 292, long of 100: 295
        "#]],
    );
}

#[test]
fn what_needs_less_than_its_share_gets_it() {
    // 10 in 30, in 100 and in 1,000 microseconds. The pauses are waits; then the host works in them, so that three threads share
    // two cores.
    for works in [false, true] {
        let often: &[_] = &[("often", 1, 10, 20, works)];
        let seldom: &[_] = &[("seldom", 1, 10, 90, works)];
        let rarely: &[_] = &[("rarely", 1, 10, 990, works)];
        let longs: &[_] = &[LONGS];
        let cases: &[&[_]] =
            &[&[(100, often), (300, longs)], &[(100, seldom), (300, longs)], &[(100, rarely), (300, longs)]];
        check(
            2,
            cases,
            if works {
                expect![[r#"
            often of 100: 333, 8 long of 300: 999
            seldom of 100: 65, 8 long of 300: 1331
            rarely of 100: 6, 8 long of 300: 1331
        "#]]
            } else {
                expect![[r#"
                    often of 100: 333, 8 long of 300: 999
                    seldom of 100: 94, 8 long of 300: 1896
                    rarely of 100: 9, 8 long of 300: 1987
                "#]]
            },
        );
    }
}

#[test]
fn a_seat_that_is_kept_in_vain_is_soon_kept_no_more() {
    // Twenty calls at once, then nothing for 5 ms: 200 microseconds of each 5.2 ms, of which the others are to get the rest.
    let mut world = World::new(1);
    let (bursts, longs) = (world.tenant(100), world.tenant(100));
    world.query(bursts, 1, 10, 2, false);
    world.query(longs, 2, 20_000, 10, true);
    world.callers[0].burst = Some((20, Duration::from_millis(5)));
    expect!["[36, 926]"].assert_eq(&format!("{:?}", world.run()));
}

#[test]
fn weights_are_kept_for_short_and_long_calls() {
    let (short, long): (&[_], &[_]) = (&[SHORT], &[LONG]);
    let two: &[&[_]] = &[
        &[(300, short), (100, long), (100, long), (100, long)],
        &[(10_000, short), (1, long), (1, long), (1, long)],
        &[(1, short), (10_000, long), (10_000, long), (10_000, long)],
        &[(10_000, long), (1, long), (1, long), (1, long)],
    ];
    check(
        2,
        two,
        expect![[r#"
            short of 300: 833, long of 100: 331, long of 100: 335, long of 100: 331
            short of 10000: 833, long of 1: 331, long of 1: 335, long of 1: 331
            short of 1: 0, long of 10000: 666, long of 10000: 664, long of 10000: 667
            long of 10000: 999, long of 1: 335, long of 1: 335, long of 1: 327
        "#]],
    );
    let one: &[&[_]] = &[
        &[(300, short), (100, short)],
        &[(300, long), (100, long)],
        &[(100, short), (300, long)],
        &[(300, short), (100, long)],
    ];
    check(
        1,
        one,
        expect![[r#"
            short of 300: 627, short of 100: 205
            long of 300: 747, long of 100: 252
            short of 100: 237, long of 300: 714
            short of 300: 653, long of 100: 215
        "#]],
    );
}

#[test]
fn weights_are_kept_where_the_process_gets_fewer_cores_than_it_has_seats() {
    let (short, long): (&[_], &[_]) = (&[SHORT], &[LONG]);
    let cases: &[&[_]] = &[
        &[(300, short), (100, long), (100, long), (100, long)],
        &[(300, long), (100, long), (100, long)],
        &[(100, short), (300, long), (300, long)],
        &[(300, short), (100, short), (100, short), (100, short)],
        &[(100, short), (100, long), (100, long), (100, long)],
        &[(10_000, short), (1, long), (1, long), (1, long)],
        &[(10_000, long), (1, long), (1, long), (1, long)],
    ];
    check_on(
        2,
        400,
        cases,
        expect![[r#"
        short of 300: 180, long of 100: 59, long of 100: 60, long of 100: 59
        long of 300: 240, long of 100: 79, long of 100: 79
        short of 100: 55, long of 300: 166, long of 300: 167
        short of 300: 166, short of 100: 55, short of 100: 55, short of 100: 55
        short of 100: 95, long of 100: 95, long of 100: 95, long of 100: 95
        short of 10000: 312, long of 1: 0, long of 1: 0, long of 1: 0
        long of 10000: 399, long of 1: 0, long of 1: 0, long of 1: 0
    "#]],
    );
    check_on(
        2,
        900,
        cases,
        expect![[r#"
        short of 300: 379, long of 100: 127, long of 100: 126, long of 100: 125
        long of 300: 539, long of 100: 179, long of 100: 179
        short of 100: 124, long of 300: 366, long of 300: 365
        short of 300: 333, short of 100: 110, short of 100: 110, short of 100: 112
        short of 100: 207, long of 100: 204, long of 100: 206, long of 100: 206
        short of 10000: 575, long of 1: 25, long of 1: 25, long of 1: 24
        long of 10000: 896, long of 1: 1, long of 1: 0, long of 1: 1
    "#]],
    );
    check_on(
        2,
        1_500,
        cases,
        expect![[r#"
        short of 300: 607, long of 100: 201, long of 100: 202, long of 100: 203
        long of 300: 817, long of 100: 274, long of 100: 272
        short of 100: 204, long of 300: 611, long of 300: 611
        short of 300: 548, short of 100: 183, short of 100: 185, short of 100: 182
        short of 100: 346, long of 100: 342, long of 100: 344, long of 100: 344
        short of 10000: 666, long of 1: 149, long of 1: 150, long of 1: 150
        long of 10000: 900, long of 1: 96, long of 1: 99, long of 1: 100
    "#]],
    );
    let (two, all): (&[_], &[_]) = (&[SHORT, LONG], &[SHORT, LONG, LONGS, SHORTS]);
    check_on(
        2,
        800,
        &[&[(100, two), (100, long)], &[(100, all)]],
        expect![[r#"
        short of 100: 187, long of 100: 185, long of 100: 374
        short of 100: 174, long of 100: 176, 8 long of 100: 177, 8 short of 100: 175
    "#]],
    );
}

#[test]
fn queries_of_a_tenant_share_equally_whatever_their_calls_and_instances() {
    let (all, two, long): (&[_], &[_], &[_]) = (&[SHORT, LONG, LONGS, SHORTS], &[SHORT, LONG], &[LONG]);
    check(
        2,
        &[&[(100, all)]],
        expect![[r#"
            short of 100: 449, long of 100: 452, 8 long of 100: 448, 8 short of 100: 449
        "#]],
    );
    check(
        1,
        &[&[(100, two), (200, long)]],
        expect![[r#"
            short of 100: 159, long of 100: 159, long of 200: 647
        "#]],
    );
}

#[test]
fn cores_that_are_plenty_are_all_used() {
    let (short, long): (&[_], &[_]) = (&[SHORT], &[LONG]);
    check(
        4,
        &[&[(1, short), (100, long), (10_000, long)]],
        expect![[r#"
        short of 1: 833, long of 100: 999, long of 10000: 999
    "#]],
    );
}

#[test]
fn one_that_comes_later_has_nothing_to_make_up_for() {
    let mut world = World::new(1);
    let tenant = world.tenant(100);
    world.query(tenant, 1, 20_000, 10, true);
    (0..100_000_u32).for_each(|step| world.step(step % 1000 == 0));
    let tenant = world.tenant(100);
    world.query(tenant, 1, 10, 2, true);
    world.callers[0].cpu = Duration::ZERO;
    (0..50_000_u32).for_each(|step| world.step(step % 1000 == 0));
    // In 100 ms.
    let cpu: Vec<_> = world.callers.iter().map(|caller| caller.cpu.as_millis()).collect();
    expect!["[40, 49]"].assert_eq(&format!("{cpu:?}"));
}
