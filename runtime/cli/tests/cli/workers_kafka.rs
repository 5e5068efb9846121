//! Topics in workers: a real Apache Kafka, reached through the connector.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};

use expect_test::{Expect, expect};
use weir_tests::{Broker, Isolation, Record, assert_same, guest_path, multiset};

use crate::common::{run, said, weir};
use crate::lifecycle::send;
use crate::workers::{RUN, children, tenants, until};

/// What a limits file says so that tenants reach the broker of the tests.
const LOOPBACK: &str = "networks = [\"127.0.0.1\", \"::1\"]\n";

/// Lets every tenant of the limits file reach these networks.
fn allow(folder: &Path, networks: &str) {
    let path = folder.join("limits.toml");
    let text = fs::read_to_string(&path).expect("the limits file");
    fs::write(&path, text.replace("folders =", &format!("{networks}folders ="))).expect("the limits file");
}

/// The broker by another name than the one that it advertises.
fn by_name(broker: &Broker) -> String {
    broker.address().replace("127.0.0.1", "localhost")
}

/// The process of this run that does this.
fn process(run: &Child, argument: &str) -> Option<u32> {
    let is = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(argument.as_bytes())
    };
    children(run.id()).into_iter().find(is)
}

/// Sends SIGKILL to the process of this run that does this.
fn kill(run: &Child, argument: &str) -> u32 {
    let mut found = None;
    until("the process is there", || {
        found = process(run, argument);
        found.is_some()
    });
    let pid = found.expect("a process");
    // SAFETY: `kill` takes two integers and touches no memory of ours; the process is the run's, which has not waited for it.
    #[expect(unsafe_code, reason = "the process is not this one's child")]
    let sent = unsafe { libc::kill(i32::try_from(pid).expect("a process id"), libc::SIGKILL) };
    assert_eq!(sent, 0);
    pid
}

#[test]
fn from_topic_to_topic_exactly_once_through_kills_of_the_worker_and_of_the_connector() {
    const IDS: u64 = 4_000;
    let broker = Broker::shared();
    let (from, to, dead) = (broker.topic("from", 2), broker.topic("to", 2), broker.topic("dead", 1));
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {group:?}\n\
         schema = {{ id = \"i64\" }}\non_error = \"dead_letter\"\n\
         options = {{ \"session.timeout.ms\" = \"2000\", \"heartbeat.interval.ms\" = \"300\" }}\n\
         [[stages]]\nname = \"seen\"\nmodule = \"faulty.wasm\"\nfunction = \"seen\"\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\n\
         [batching]\nrecords_max = 20\ndelay_ms_max = 5\n\
         [delivery]\nguarantee = \"exactly_once\"\ncommit_ms = 20\ntransactional_id = {id:?}\n\
         [dead_letters]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {dead:?}\n",
        brokers = by_name(&broker),
        group = broker.name("group"),
        id = broker.name("transactions"),
    );
    tenants(folder.path(), &[("acme", &text)]);
    allow(folder.path(), LOOPBACK);
    let module = guest_path("faulty").expect("the faulty guest");
    fs::copy(module, folder.path().join("acme/faulty.wasm")).expect("the module");
    let record = |id: u64| Record::of(format!("{{\"id\":{id}}}")).key(id.to_string());
    let produce = |ids: std::ops::Range<u64>| broker.produce(&from, ids.map(record));
    let committed = || broker.read_all(&to, Isolation::Committed).len();
    let mut child = weir(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the command");
    broker.produce(&from, [Record::of("no number")]);
    produce(0..IDS / 4);
    until("the first commits", || committed() > 0);
    let worker = kill(&child, "worker");
    produce(IDS / 4..IDS / 2);
    until("the next worker goes on", || committed() > 1_000);
    // Connections that are open outlive the connector.
    let connector = kill(&child, "connector");
    produce(IDS / 2..IDS * 3 / 4);
    until("the worker goes on", || committed() > 2_000);
    // The next worker has to ask the next connector.
    assert_ne!(kill(&child, "worker"), worker);
    produce(IDS * 3 / 4..IDS);
    until("all are there", || committed() >= usize::try_from(IDS).expect("a number"));
    assert_ne!(kill(&child, "connector"), connector);
    send(&child, libc::SIGTERM);
    let mut told = String::new();
    child.stderr.take().expect("standard error").read_to_string(&mut told).expect("standard error");
    assert_eq!(said(child.wait_with_output().expect("an end")).code, Some(0), "{told}");
    for line in [
        "the worker ended by signal 9 (KILL); its queries continue from their last commits",
        "the connector ended by signal 9 (KILL); it is started again in 100 ms, and connections that are open go on",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    let found = broker.read_all(&to, Isolation::Committed);
    let expected = (0..IDS).map(|id| format!("{{\"id\":{id}}}").into_bytes());
    assert_same(&multiset(expected), &multiset(found.iter().map(|record| record.value().to_vec())));
    let letters = broker.read_all(&dead, Isolation::Committed);
    assert_eq!(letters.len(), 1, "one record was no number");
}

fn refused(networks: &str, brokers: &str, expect: Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[sources.seed]\nkind = \"generator\"\nbatches = 1\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = \"t\"\n"
    );
    tenants(folder.path(), &[("acme", &text)]);
    allow(folder.path(), networks);
    let told = run(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat());
    let lines: Vec<&str> = told.err.lines().filter(|line| line.starts_with("error")).collect();
    // `localhost` has two addresses, in either order.
    expect.assert_eq(&lines.join("\n").replace("::1", "127.0.0.1"));
    assert_eq!(told.code, Some(2), "{}", told.err);
}

#[test]
fn a_broker_that_the_tenant_may_not_reach_is_refused_with_the_key_that_would_allow_it() {
    refused(
        "",
        "127.0.0.1:9092",
        expect![[
            r#"error: acme/q.toml: sinks.out.brokers: tenant `acme` may not reach 127.0.0.1:9092, which is a loopback address (its networks: public); to allow it, add "127.0.0.1" to `networks` of the tenant in the limits file"#
        ]],
    );
    refused(
        "",
        "localhost:9092",
        expect![[
            r#"error: acme/q.toml: sinks.out.brokers: tenant `acme` may not reach localhost:9092, which is 127.0.0.1, a loopback address (its networks: public); to allow it, add "127.0.0.1" to `networks` of the tenant in the limits file"#
        ]],
    );
    refused(
        "",
        "10.1.2.3:9092,192.168.0.1:9093",
        expect![[
            r#"error: acme/q.toml: sinks.out.brokers: tenant `acme` may not reach 10.1.2.3:9092, which is a private address (its networks: public); to allow it, add "10.1.2.3" to `networks` of the tenant in the limits file"#
        ]],
    );
    refused(
        "",
        "[::ffff:169.254.169.254]:80",
        expect![[
            r#"error: acme/q.toml: sinks.out.brokers: tenant `acme` may not reach ::ffff:169.254.169.254:80, which is a link-local address (its networks: public); to allow it, add "169.254.169.254" to `networks` of the tenant in the limits file"#
        ]],
    );
    refused(
        "networks = [\"10.0.0.0/8\"]\n",
        "1.1.1.1:9092",
        expect![[
            r#"error: acme/q.toml: sinks.out.brokers: tenant `acme` may not reach 1.1.1.1:9092, which is a public address (its networks: 10.0.0.0/8); to allow it, add "public" to `networks` of the tenant in the limits file"#
        ]],
    );
    refused(
        "networks = \"none\"\n",
        "1.1.1.1:9092",
        expect![[
            r#"error: acme/q.toml: sinks.out.brokers: tenant `acme` may not reach 1.1.1.1:9092, which is a public address (its networks: none); to allow it, add "public" to `networks` of the tenant in the limits file"#
        ]],
    );
}

#[test]
fn a_broker_that_is_not_there_is_waited_for() {
    if Broker::only_a_cluster() {
        return;
    }
    let broker = Broker::own();
    let from = broker.topic("from", 1);
    broker.produce(&from, (0..100_u64).map(|id| Record::of(format!("{{\"id\":{id}}}"))));
    broker.stop();
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[sources.in]\nkind = \"kafka\"\nbrokers = {:?}\ntopic = {from:?}\nschema = {{ id = \"i64\" }}\n\
         partitions = \"all\"\nuntil = \"end\"\n\
         [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n",
        by_name(&broker)
    );
    tenants(folder.path(), &[("acme", &text)]);
    allow(folder.path(), LOOPBACK);
    let child = weir(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the command");
    until("the connector is asked", || process(&child, "connector").is_some());
    broker.start();
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    let rows = fs::read_to_string(folder.path().join("acme/out/rows.csv")).expect("the output");
    assert_eq!(rows.lines().count(), 101, "{rows}");
}
