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
fn noida_keeps_its_records_when_it_is_started_again() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::noida();
    let topic = broker.topic("kept", 2);
    broker.produce(&topic, (0..100).map(|number| Record::of(format!("{number}"))));
    let before = broker.read_all(&topic, Isolation::Committed);
    assert_eq!(before.len(), 100);
    let address = broker.address().to_owned();
    broker.stop();
    assert_eq!(broker.process_id(), None);
    broker.start();
    assert_eq!(broker.address(), address);
    assert_eq!(broker.read_all(&topic, Isolation::Committed), before);
}

#[test]
fn tansu_starts_again_on_its_port_and_has_forgotten() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::tansu();
    let topic = broker.topic("lost", 1);
    broker.produce(&topic, [Record::of("a")]);
    let first = broker.process_id();
    broker.kill();
    broker.start();
    assert_ne!(broker.process_id(), first);
    // The name is free again.
    assert_eq!(broker.topic("lost", 1), topic);
    assert_eq!(broker.read_all(&topic, Isolation::Committed), []);
}

#[test]
fn a_paused_broker_answers_nothing_until_it_goes_on() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::tansu();
    let consumer: BaseConsumer = broker.client().create().expect("a consumer");
    let answers = |at_most| consumer.fetch_metadata(None, at_most).is_ok();
    assert!(answers(SOON));
    broker.pause();
    assert!(!answers(Duration::from_millis(300)));
    broker.resume();
    assert!(answers(SOON));
    // One that is paused ends too.
    broker.pause();
    let id = broker.process_id().expect("a process");
    drop(broker);
    assert!(!is_alive(id));
}

#[test]
fn a_broker_outlives_the_thread_that_started_it() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = std::thread::spawn(Broker::tansu).join().expect("a broker");
    std::thread::sleep(Duration::from_millis(100));
    assert!(is_alive(broker.process_id().expect("a process")));
    assert_eq!(broker.produce(&broker.topic("later", 1), [Record::of("a")]), 1);
}

#[test]
fn a_dropped_broker_leaves_no_process_and_no_folder() {
    if Broker::only_a_cluster() {
        return;
    }
    for broker in [Broker::tansu(), Broker::noida()] {
        let id = broker.process_id().expect("a process");
        assert!(is_alive(id));
        let folder = std::fs::read_link(format!("/proc/{id}/cwd")).expect("the broker's folder");
        drop(broker);
        assert!(!is_alive(id));
        assert!(!Path::exists(&folder), "{}", folder.display());
    }
}

/// Set where this test is the child that is going to be killed.
const HOLD: &str = "WEIR_TEST_HOLD_A_BROKER";

#[test]
fn a_killed_test_leaves_no_broker() {
    if Broker::only_a_cluster() {
        return;
    }
    if std::env::var_os(HOLD).is_some() {
        let brokers = [Broker::tansu(), Broker::noida()];
        for broker in &brokers {
            println!("broker {}", broker.process_id().expect("a process"));
        }
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let mut test = Command::new(std::env::current_exe().expect("this test's file"))
        .args(["--exact", "life::a_killed_test_leaves_no_broker", "--nocapture"])
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test again");
    let lines = BufReader::new(test.stdout.take().expect("its output")).lines();
    let ids = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("broker ")?.parse().ok());
    let ids: Vec<u32> = ids.take(2).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| is_alive(*id)), "{ids:?}");
    test.kill().expect("a kill");
    test.wait().expect("its end");
    for id in ids {
        wait_until(&format!("process {id} is gone"), SOON, || !is_alive(id));
    }
}

#[test]
#[should_panic(expected = "in vain: pigs fly")]
fn what_is_waited_for_in_vain_is_named() {
    let start = Instant::now();
    wait_until("pigs fly", Duration::from_millis(50), || start.elapsed() > SOON);
}
