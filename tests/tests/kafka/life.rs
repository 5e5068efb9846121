//! The life of a broker's process: restart, crash, pause, and the end of the test that started it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use weir_tests::{Broker, Isolation, Record, wait_until};

use crate::support::SOON;

/// Whether a process is there and has not ended. Nobody may have reaped it yet.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[test]
fn an_own_broker_is_stopped_killed_paused_and_started_again_and_keeps_its_records() {
    if Broker::only_a_cluster() {
        return;
    }
    // It outlives the thread that started it.
    let broker = std::thread::spawn(Broker::own).join().expect("a broker");
    let topic = broker.topic("kept", 2);
    broker.produce(&topic, (0..100).map(|number| Record::of(format!("{number}"))));
    let before = broker.read_all(&topic, Isolation::Committed);
    assert_eq!(before.len(), 100);
    let address = broker.address().to_owned();
    for end in [Broker::stop, Broker::kill] {
        let id = broker.process_id().expect("a process");
        end(&broker);
        assert!(broker.process_id().is_none() && !is_alive(id));
        broker.start();
        assert_eq!(broker.address(), address);
        assert_eq!(broker.read_all(&topic, Isolation::Committed), before);
    }
    let consumer: BaseConsumer = broker.client().create().expect("a consumer");
    let answers = |at_most| consumer.fetch_metadata(None, at_most).is_ok();
    assert!(answers(SOON));
    broker.pause();
    assert!(!answers(Duration::from_millis(300)));
    broker.resume();
    assert!(answers(SOON));
    // One that is paused ends too, and nothing is left of it.
    broker.pause();
    let id = broker.process_id().expect("a process");
    let folder = std::fs::read_link(format!("/proc/{id}/cwd")).expect("the broker's folder");
    drop(broker);
    assert!(!is_alive(id));
    assert!(!Path::exists(&folder), "{}", folder.display());
}

#[test]
fn the_tests_of_a_run_share_one_broker_and_its_topics_are_each_test_s_own() {
    let [one, other] = [Broker::shared(), Broker::shared()];
    assert_eq!(one.address(), other.address());
    let topics = [one.topic("same", 1), other.topic("same", 1)];
    assert_ne!(topics[0], topics[1]);
    one.produce(&topics[0], [Record::of("a")]);
    assert_eq!(other.read_all(&topics[1], Isolation::Committed), []);
    drop(one);
    wait_until("a dropped broker's topics are gone", SOON, || {
        let consumer: BaseConsumer = other.client().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(None, SOON).expect("an answer");
        !metadata.topics().iter().any(|topic| topic.name() == topics[0])
    });
}

#[test]
fn topics_lose_their_first_records_and_are_deleted_and_made_again() {
    let broker = Broker::shared();
    let topic = broker.topic("again", 1);
    broker.produce(&topic, ["a", "b", "c"].map(Record::of));
    assert_eq!(broker.watermarks(&topic, 0), (0, 3));
    broker.delete_records(&topic, 0, 2);
    assert_eq!(broker.watermarks(&topic, 0), (2, 3));
    broker.delete_topic(&topic);
    assert_eq!(broker.topic("again", 1), topic);
    assert_eq!(broker.watermarks(&topic, 0), (0, 0));
}

/// Set where this test is the child that is going to be killed.
const HOLD: &str = "WEIR_TEST_HOLD_A_BROKER";

#[test]
fn a_killed_test_leaves_no_broker_and_no_folder_of_a_shared_one() {
    if Broker::only_a_cluster() {
        return;
    }
    if std::env::var_os(HOLD).is_some() {
        let (own, shared) = (Broker::own(), Broker::shared());
        println!("\nbroker {}", own.process_id().expect("a process"));
        println!("\naddress {}", shared.address());
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut test = Command::new(std::env::current_exe().expect("this test's file"))
        .args(["--exact", "life::a_killed_test_leaves_no_broker_and_no_folder_of_a_shared_one", "--nocapture"])
        .env(HOLD, "1")
        .env("TMPDIR", folder.path())
        // A run of its own, whatever cluster the others use.
        .env_remove("WEIR_TEST_RUN")
        .env_remove("KAFKA_BOOTSTRAP")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test again");
    let mut lines = BufReader::new(test.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let mut said = |what: &str| {
        let line = lines.find_map(|line| line.strip_prefix(what).map(str::to_owned));
        line.unwrap_or_else(|| panic!("it does not say its {what}"))
    };
    let (own, address) = (said("broker ").parse().expect("an id"), said("address "));
    let connects = || std::net::TcpStream::connect(&address).is_ok();
    assert!(is_alive(own) && connects());
    test.kill().expect("a kill");
    test.wait().expect("its end");
    wait_until("both brokers are gone", SOON, || !is_alive(own) && !connects());
    let is_of_a_run = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("weir-tests-");
    wait_until("the shared broker's folder is gone", SOON, || {
        !folder.path().read_dir().expect("a folder").flatten().any(is_of_a_run)
    });
}

#[test]
#[should_panic(expected = "in vain: pigs fly")]
fn what_is_waited_for_in_vain_is_named() {
    let start = Instant::now();
    wait_until("pigs fly", Duration::from_millis(50), || start.elapsed() > SOON);
}
