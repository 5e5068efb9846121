//! Functions over flights: date of departure, delay in minutes, distance in miles, origin and destination.
#![forbid(unsafe_code)]

use weir_guest::prelude::*;

/// A flight, as the US Bureau of Transportation Statistics reports it.
#[derive(Row)]
pub struct Flight<'a> {
    /// Scheduled departure.
    pub date: Timestamp,
    /// Minutes late on arrival; negative when early.
    pub delay: i64,
    /// Miles.
    pub distance: i64,
    /// The airport it leaves, by its IATA code.
    pub origin: &'a str,
    /// The airport it goes to.
    pub destination: &'a str,
}

/// The parts of a flight that tell how late it was, and where. Only what a function declares is fetched.
#[derive(Row)]
pub struct Arrival<'a> {
    /// Minutes late.
    pub delay: i64,
    /// From.
    pub origin: &'a str,
    /// To.
    pub destination: &'a str,
}

/// When a flight counts as late.
#[derive(Params)]
pub struct Lateness {
    /// Minutes beyond which a flight is late.
    #[param(default = 60)]
    pub min_delay: i64,
}

/// A late flight.
#[derive(Row, Debug, PartialEq)]
pub struct Late {
    /// Origin and destination.
    pub route: String,
    /// How late.
    pub minutes: i64,
}

/// Flights that arrived late, with their route.
#[transform]
pub fn late(arrival: Arrival<'_>, lateness: &Lateness) -> Option<Late> {
    (arrival.delay > lateness.min_delay)
        .then(|| Late { route: format!("{}-{}", arrival.origin, arrival.destination), minutes: arrival.delay })
}

/// A flight's delay alone.
#[derive(Row)]
pub struct Delay {
    /// Minutes late.
    pub delay: i64,
}

/// Keeps flights that arrived late.
#[transform]
pub fn is_late(delay: Delay, lateness: &Lateness) -> bool {
    delay.delay > lateness.min_delay
}

/// Delay and distance.
#[derive(Row)]
pub struct Leg {
    /// Minutes late.
    pub delay: i64,
    /// Miles.
    pub distance: i64,
}

/// How long a flight was late, and how far it went.
#[derive(Row, Debug, PartialEq)]
pub struct DelayHours {
    /// Hours late.
    pub hours: f64,
    /// `short` below 700 miles, `medium` below 2,000, else `long`.
    pub haul: &'static str,
}

/// The delay in hours and the flight's class of distance.
#[transform]
pub fn delay_hours(leg: Leg) -> DelayHours {
    DelayHours { hours: leg.delay as f64 / 60.0, haul: haul(leg.distance) }
}

fn haul(miles: i64) -> &'static str {
    match miles {
        ..700 => "short",
        700..2_000 => "medium",
        _ => "long",
    }
}

/// One end of a flight.
#[derive(Row, Debug, PartialEq)]
pub struct Endpoint<'a> {
    /// The airport.
    pub airport: &'a str,
    /// Whether the flight leaves there.
    pub departs: bool,
    /// The hour of the scheduled departure in UTC.
    pub hour: i64,
}

/// A record for each of a flight's two airports.
#[transform]
pub fn endpoints(flight: Flight<'_>) -> [Endpoint<'_>; 2] {
    let hour = flight.date.hour();
    [
        Endpoint { airport: flight.origin, departs: true, hour },
        Endpoint { airport: flight.destination, departs: false, hour },
    ]
}

/// Why a flight cannot be believed.
#[derive(Debug, PartialEq)]
pub enum Implausible {
    /// So many minutes late, or early.
    Delay(i64),
    /// So many miles.
    Distance(i64),
}

impl std::fmt::Display for Implausible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Implausible::Delay(minutes) => write!(f, "implausible delay of {minutes} minutes"),
            Implausible::Distance(miles) => write!(f, "implausible distance of {miles} miles"),
        }
    }
}

impl RowError for Implausible {
    fn code(&self) -> i32 {
        match self {
            Implausible::Delay(_) => 2,
            Implausible::Distance(_) => 3,
        }
    }
}

/// What can be believed.
#[derive(Params)]
pub struct Plausible {
    /// The longest delay in minutes.
    #[param(default = 1440)]
    pub delay_max: i64,
    /// The longest distance in miles.
    #[param(default = 6000)]
    pub distance_max: i64,
}

/// A flight whose numbers were looked at.
#[derive(Row, Debug, PartialEq)]
pub struct Checked {
    /// Miles for each minute of delay; nothing for flights in time.
    pub miles_per_minute: Option<f64>,
}

/// Fails flights whose delay (code 2) or distance (code 3) cannot be true.
#[transform]
pub fn checked(leg: Leg, plausible: &Plausible) -> Result<Checked, Implausible> {
    if !(-720..=plausible.delay_max).contains(&leg.delay) {
        return Err(Implausible::Delay(leg.delay));
    }
    if !(1..=plausible.distance_max).contains(&leg.distance) {
        return Err(Implausible::Distance(leg.distance));
    }
    let late = leg.delay > 0;
    Ok(Checked { miles_per_minute: late.then(|| leg.distance as f64 / leg.delay as f64) })
}

/// Delays by origin.
#[derive(Default, MetricSet)]
pub struct Delays {
    /// Flights seen.
    #[metric(unit = "{flight}")]
    pub flights: Counter,
    /// Minutes late, by origin.
    #[metric(unit = "min", labels("origin"), buckets(0, 15, 60, 240))]
    pub delay_minutes: Histogram<1>,
}

/// What `delays` looks at.
#[derive(Row)]
pub struct Departure<'a> {
    /// Minutes late.
    pub delay: i64,
    /// From.
    pub origin: &'a str,
}

/// Counts flights, and their delays by origin.
#[metrics]
impl Metrics for Delays {
    type Row<'a> = Departure<'a>;

    fn observe(&mut self, departure: Departure<'_>) {
        self.flights.inc();
        self.delay_minutes.with([departure.origin]).observe(departure.delay);
    }
}

/// A flight but for its date.
#[derive(Row)]
pub struct Trip<'a> {
    /// Minutes late; negative when early.
    pub delay: i64,
    /// Miles.
    pub distance: i64,
    /// From.
    pub origin: &'a str,
    /// To.
    pub destination: &'a str,
}

/// What is counted.
#[derive(Params)]
pub struct Countable {
    /// The longest delay in minutes; a longer one ends the function.
    #[param(default = 9_223_372_036_854_775_807)]
    pub delay_max: i64,
}

/// Flights and delays, each by what its labels say.
#[derive(Default, MetricSet)]
pub struct Traffic {
    /// Flights seen.
    #[metric(unit = "{flight}")]
    pub flights: Counter,
    /// Flights by their class of distance, and whether they were late.
    #[metric(unit = "{flight}", labels("haul", "late"))]
    pub hauls: Counter<2>,
    /// Minutes lost, by destination.
    #[metric(unit = "min", labels("destination"))]
    pub lost_minutes: Counter<1>,
    /// How far flights go.
    #[metric(unit = "mi", buckets(100, 300, 700, 2000))]
    pub miles: Histogram,
    /// Minutes late, by origin.
    #[metric(unit = "min", labels("origin"), buckets(0, 15, 60, 240))]
    pub delay_minutes: Histogram<1>,
    #[metric(param)]
    delay_max: i64,
}

/// Counts flights, and panics at one that is beyond all delay.
#[metrics]
impl Metrics for Traffic {
    type Row<'a> = Trip<'a>;
    type Params = Countable;

    fn start(&mut self, countable: Countable) {
        self.delay_max = countable.delay_max;
    }

    fn observe(&mut self, trip: Trip<'_>) {
        self.flights.inc();
        let late = if trip.delay > 0 { "yes" } else { "no" };
        self.hauls.with([haul(trip.distance), late]).inc();
        self.miles.observe(trip.distance);
        self.delay_minutes.with([trip.origin]).observe(trip.delay);
        // Not before all of them: what a failed batch had recorded must be forgotten by all kinds alike.
        assert!(trip.delay <= self.delay_max, "a delay of {} minutes", trip.delay);
        self.lost_minutes.with([trip.destination]).add(trip.delay.max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENESS: Lateness = Lateness { min_delay: 60 };

    fn arrival(delay: i64) -> Arrival<'static> {
        Arrival { delay, origin: "SEA", destination: "SFO" }
    }

    #[test]
    fn late_flights_have_a_route() {
        assert_eq!(late(arrival(61), &LATENESS), Some(Late { route: "SEA-SFO".into(), minutes: 61 }));
        assert_eq!(late(arrival(60), &LATENESS), None);
    }

    #[test]
    fn late_is_beyond_the_parameter() {
        let kept = [-5, 59, 60, 61].map(|delay| is_late(Delay { delay }, &LATENESS));
        assert_eq!(kept, [false, false, false, true]);
    }

    #[test]
    fn hauls_have_bounds() {
        let haul = |distance| delay_hours(Leg { delay: 90, distance }).haul;
        assert_eq!([0, 699, 700, 1_999, 2_000].map(haul), ["short", "short", "medium", "medium", "long"]);
        assert_eq!(delay_hours(Leg { delay: 90, distance: 1 }).hours, 1.5);
    }

    #[test]
    fn a_flight_has_two_ends() {
        let date = Timestamp::from_millis(1_640_995_200_000 + 3 * 3_600_000);
        let flight = Flight { date, delay: 0, distance: 679, origin: "SEA", destination: "SFO" };
        let expected =
            [Endpoint { airport: "SEA", departs: true, hour: 3 }, Endpoint { airport: "SFO", departs: false, hour: 3 }];
        assert_eq!(endpoints(flight), expected);
    }

    #[test]
    fn implausible_flights_fail() {
        let plausible = Plausible { delay_max: 1440, distance_max: 6000 };
        let check = |delay, distance| checked(Leg { delay, distance }, &plausible);
        assert_eq!(check(10, 500), Ok(Checked { miles_per_minute: Some(50.0) }));
        assert_eq!(check(0, 500), Ok(Checked { miles_per_minute: None }));
        assert_eq!(check(1441, 500), Err(Implausible::Delay(1441)));
        assert_eq!(check(10, 0), Err(Implausible::Distance(0)));
    }

    #[test]
    fn delays_are_counted_by_origin() {
        let mut delays = Delays::default();
        for (origin, delay) in [("SEA", 90), ("SFO", -3), ("SEA", 10)] {
            delays.observe(Departure { delay, origin });
        }
        assert_eq!(delays.flights.value(), 3.0);
        let mut sea = delays.delay_minutes.with(["SEA"]);
        assert_eq!((sea.count(), sea.sum()), (2, 100.0));
    }
    #[test]
    fn traffic_is_counted_by_labels() {
        let mut traffic = Traffic::default();
        traffic.start(Countable { delay_max: 90 });
        for (delay, distance) in [(90, 679), (-3, 679), (10, 2_000)] {
            traffic.observe(Trip { delay, distance, origin: "SEA", destination: "SFO" });
        }
        assert_eq!(traffic.hauls.with(["short", "yes"]).value(), 1.0);
        assert_eq!(traffic.lost_minutes.with(["SFO"]).value(), 100.0);
        assert_eq!((traffic.miles.sum(), traffic.delay_minutes.with(["SEA"]).sum()), (3_358.0, 97.0));
    }
}
