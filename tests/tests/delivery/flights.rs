//! What guests counted of real flights, through kills and replays, against what the file itself says.
//!
//! `WEIR_FLIGHTS` names a larger file than the sample, `WEIR_CRASHES` says how often the process is killed.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use serde_json::Value;
use weir_tests::{Weir, WeirProcess, guest_path, wait_for, wait_until};

use crate::figures::{exposed, of_flights, summed_up};
use crate::support::{PATIENCE, number, summary};

/// About how many batches a run has: enough to be killed among them.
const BATCHES: usize = 5_000;

/// The flights of the file, in its order, and the delay beyond which some twenty of them lie.
struct Flights {
    path: PathBuf,
    rows: RecordBatch,
    delay_max: i64,
}

/// The default of the functions' parameter.
const LATE: i64 = 60;

impl Flights {
    /// Those that are to be counted, the late ones of them, and those that die.
    fn divided(&self) -> (RecordBatch, RecordBatch, RecordBatch) {
        let (counted, dead) = crate::figures::divide(&self.rows, |delay| delay <= self.delay_max);
        let (late, _) = crate::figures::divide(&counted, |delay| delay > LATE);
        (counted, late, dead)
    }
}

fn flights() -> Flights {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/flights-sample.parquet");
    let path = std::env::var_os("WEIR_FLIGHTS").map_or(sample, PathBuf::from).canonicalize().expect("the flights");
    let rows = crate::figures::read(&[&path]);
    let mut delays: Vec<i64> = crate::figures::delays(&rows).to_vec();
    delays.sort_unstable();
    let delay_max = delays[delays.len() - 20];
    Flights { path, rows, delay_max }
}

/// All flights are counted, but for those whose delay ends the function, which are tried again and die; the others go
/// into files, and the late ones of them into others. `sinks` goes into both sinks.
fn query(folder: &Path, flights: &Flights, delivery: &str, sinks: &str) {
    let module = guest_path("flights").expect("a built guest");
    let Flights { path, rows, delay_max } = flights;
    let records_max = (rows.num_rows() / BATCHES).max(1);
    let text = format!(
        "name = \"flights\"\n\
         [sources.flights]\nkind = \"file\"\npath = {path:?}\n\
         [[stages]]\nname = \"traffic\"\nmodule = {module:?}\nfunction = \"traffic\"\nparams = {{ delay_max = {delay_max} }}\n\
         on_error = \"retry\"\nretry = {{ times_max = 1, backoff_ms = 1, then = \"dead_letter\" }}\n\
         [[stages]]\nname = \"late\"\nmodule = {module:?}\nfunction = \"is_late\"\n\
         [[stages]]\nname = \"delays\"\nmodule = {module:?}\nfunction = \"delays\"\n\
         [sinks.counted]\nkind = \"file\"\ninput = \"traffic\"\npath = \"counted/f.parquet\"\n{sinks}\n\
         [sinks.delayed]\nkind = \"file\"\npath = \"delayed/f.parquet\"\n{sinks}\n\
         [dead_letters]\npath = \"dead.jsonl\"\n\
         [batching]\nrecords_max = {records_max}\n{delivery}\n"
    );
    fs::write(folder.join("flights.toml"), text).expect("the query");
}

fn start(folder: &Path) -> WeirProcess {
    Weir::in_folder(folder).run(&["--json", "run", "--metrics-listen", "127.0.0.1:0", "flights.toml"])
}

/// What readers see of a sink's files, in the order of their names.
fn published(folder: &Path, sink: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(sink)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| !path.file_name().expect("a name").as_encoded_bytes().starts_with(b"."));
    paths.sort();
    paths
}

fn published_rows(folder: &Path) -> usize {
    published(folder, "counted").iter().map(|path| crate::figures::rows(path)).sum()
}

/// Holds that files, letters and figures say each flight once, of a query that came to its end.
#[track_caller]
fn assert_exact(folder: &Path, flights: &Flights, summary: &Value) {
    let (counted, late, dead) = flights.divided();
    for (sink, expected) in [("counted", &counted), ("delayed", &late)] {
        let files = published(folder, sink);
        let found = crate::figures::read(&files);
        assert_eq!(found.num_rows(), expected.num_rows(), "{sink}");
        if found != *expected {
            // Not all of them are shown.
            let row = (0..found.num_rows()).find(|&row| found.slice(row, 1) != expected.slice(row, 1));
            let [found, expected] = [&found, expected].map(|all| row.map(|row| all.slice(row, 1)));
            panic!("{sink}: row {row:?} is {found:?}, not {expected:?}");
        }
    }
    let letters = fs::read_to_string(folder.join("dead.jsonl")).expect("the letters");
    let letters = letters.lines().map(|line| serde_json::from_str::<Value>(line).expect("a letter"));
    let died: Vec<i64> = letters.map(|letter| letter["record"]["delay"].as_i64().expect("a delay")).collect();
    assert_eq!(died, crate::figures::delays(&dead));
    of_flights(&counted, &late).assert_same(&summed_up(summary));
}

struct Random(u64);

impl Random {
    /// Seeded by the time: every run is another.
    fn new() -> Random {
        Random(SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.subsec_nanos().into()) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Pauses the query, which commits what it read, and holds that the endpoint says just that.
fn look_at_a_pause(folder: &Path, flights: &Flights, weir: &WeirProcess) -> usize {
    let address = wait_for("the endpoint", PATIENCE, || {
        let said = weir.stderr();
        let (_, rest) = said.split_once("{\"metrics\":\"http://")?;
        rest.split_once("/metrics").map(|(address, _)| address.to_owned())
    });
    let mut pause = Weir::in_folder(folder).run(&["pause", "flights"]);
    let status = pause.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", pause.stderr());
    let mut stream = TcpStream::connect(&address).expect("a connection");
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let found = exposed(&text);
    let rows = found.flights() as usize;
    wait_until("what was committed to be published", PATIENCE, || published_rows(folder) == rows);
    let counted = flights.divided().0.slice(0, rows);
    let (late, _) = crate::figures::divide(&counted, |delay| delay > LATE);
    of_flights(&counted, &late).assert_same(&found);
    rows
}

const EXACTLY_ONCE: &str = "[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\ncommit_ms = 10";

#[test]
fn figures_of_flights_are_exact_though_the_process_is_killed_again_and_again() {
    let flights = flights();
    let kills = number("WEIR_CRASHES", 6);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    query(folder, &flights, EXACTLY_ONCE, "");
    let mut random = Random::new();
    let (mut done, mut in_the_middle, mut paused) = (0, 0, 0);
    let all = flights.divided().0.num_rows();
    while done < kills {
        let mut weir = start(folder);
        if done == kills / 2 {
            // A run that is paused, looked at, and killed in its pause.
            let before = published_rows(folder);
            wait_until("a commit", PATIENCE, || published_rows(folder) > before || !weir.is_running());
            paused = look_at_a_pause(folder, &flights, &weir);
        } else if random.below(2) == 0 {
            std::thread::sleep(Duration::from_millis(60 + random.below(250)));
        } else {
            let before = published_rows(folder);
            wait_until("a commit", PATIENCE, || published_rows(folder) > before || !weir.is_running());
            std::thread::sleep(Duration::from_millis(random.below(50)));
        }
        if !weir.is_running() {
            break;
        }
        weir.kill_9();
        done += 1;
        in_the_middle += u64::from((1..all).contains(&published_rows(folder)));
    }
    let mut last = start(folder);
    let status = last.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", last.stderr());
    let said = summary(&last);
    println!(
        "{} flights: {done} kills, {in_the_middle} of them between the first commit and the last; paused at {paused}; \
         {} commits in the last run",
        flights.rows.num_rows(),
        said["commits"],
    );
    assert!(in_the_middle > 0, "no kill hit the query at its work");
    assert_exact(folder, &flights, &said);
    // Once more, with nothing left to read: all of it comes out of the manifest.
    let mut again = start(folder);
    let status = again.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", again.stderr());
    let said = summary(&again);
    assert_eq!(said["sources"][0]["records"], 0, "{said}");
    assert_exact(folder, &flights, &said);
}

#[test]
fn figures_of_flights_are_exact_though_a_sink_fails_and_all_goes_back_to_the_last_commit() {
    let flights = flights();
    for (delivery, exactly) in [(EXACTLY_ONCE, true), ("[delivery]\ncommit_ms = 10", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        query(folder, &flights, delivery, "on_error = \"retry\"\nretry = { times_max = 1000, backoff_ms = 20 }");
        let mut weir = start(folder);
        let mut failures = 0;
        for _ in 0..3 {
            let before = published_rows(folder);
            wait_until("a commit", PATIENCE, || published_rows(folder) > before || !weir.is_running());
            // No file can be opened: the sinks fail at their next one.
            let again = |weir: &WeirProcess| weir.stderr().matches("retrying from the last commit").count();
            let tried = again(&weir);
            let usual = weir.limit_files(3);
            wait_until("the sink to fail", PATIENCE, || again(&weir) > tried || !weir.is_running());
            weir.limit_files(usual);
            failures += 1;
        }
        let status = weir.wait(PATIENCE);
        assert!(status.success(), "{status}\n{}", weir.stderr());
        let said = summary(&weir);
        println!("{} flights: {failures} failures, {} restarts", flights.rows.num_rows(), said["restarts"]);
        assert!(said["restarts"].as_u64() >= Some(failures), "{said}");
        if exactly {
            assert_exact(folder, &flights, &said);
        } else {
            // Of two sinks one may have published what the other failed at. What is counted is counted once even so.
            let (counted, late, _) = flights.divided();
            assert!(published_rows(folder) >= counted.num_rows(), "{}", published_rows(folder));
            of_flights(&counted, &late).assert_same(&summed_up(&said));
        }
    }
}

#[test]
fn what_a_function_keeps_is_lost_with_a_sink_s_retry_and_that_is_counted_or_ends_the_query() {
    let module = guest_path("faulty").expect("the faulty guest");
    for policy in ["warn", "fail"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let text = format!(
            "name = \"flights\"\n[sources.seed]\nkind = \"generator\"\nbatches = 1000000000\n\
             [[stages]]\nname = \"fresh\"\nmodule = {module:?}\nfunction = \"fresh\"\non_state_loss = \"{policy}\"\n\
             [sinks.out]\nkind = \"file\"\npath = \"out/ids.csv\"\ninput = \"seed\"\nrotate_bytes_max = 100000\n\
             on_error = \"retry\"\nretry = {{ times_max = 1000, backoff_ms = 20 }}\n\
             [sinks.kept]\nkind = \"count\"\ninput = \"fresh\"\n\
             [delivery]\ncommit_ms = 10\n"
        );
        fs::write(folder.join("flights.toml"), text).expect("the query");
        let mut weir = start(folder);
        let files = || fs::read_dir(folder.join("out")).map_or(0, Iterator::count);
        wait_until("a file", PATIENCE, || files() > 1 || !weir.is_running());
        let usual = weir.limit_files(3);
        let lost = |weir: &WeirProcess| weir.stderr().contains("the state of the function is lost");
        wait_until("the loss", PATIENCE, || lost(&weir) || !weir.is_running());
        match policy {
            "warn" => {
                weir.limit_files(usual);
                let before = files();
                wait_until("it to go on", PATIENCE, || files() > before + 1 || !weir.is_running());
                weir.term();
                assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
                let said = summary(&weir);
                let losses = &said["stages"][0]["state_losses"];
                assert!(
                    losses["sink"].as_u64() >= Some(1) && losses.as_object().is_some_and(|all| all.len() == 1),
                    "{said}"
                );
                assert!(said["restarts"].as_u64() >= losses["sink"].as_u64(), "{said}");
            }
            _ => {
                assert_eq!(weir.wait(PATIENCE).code(), Some(1), "{}", weir.stderr());
                let said = weir.stderr();
                assert!(
                    said.contains("state_lost: function `fresh` has lost its state") && said.contains("(sink: "),
                    "{said}"
                );
            }
        }
    }
}
