//! Connections by the connector.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use expect_test::expect;
use weir_frame::{WorkerId, WorkerRole};
use weir_tenancy::{EndCause, TenancyError, TenancyEvent};

use crate::support::{Stage, lines};

fn with_connector() -> (Stage, WorkerId) {
    let stage = Stage::with(|settings| settings.connects_per_s = 8);
    let mut spec = stage.spec("", "connector");
    (spec.role, spec.threads_max) = (WorkerRole::Connector, 600);
    let connector = stage.supervisor.start(spec).unwrap();
    stage.until_greeted();
    (stage, connector)
}

/// What a process says, without the beginning of each line, until it ends.
fn said(stage: &Stage) -> String {
    let mut all = Vec::new();
    stage.until(|event| match event {
        TenancyEvent::Line { line, .. } => {
            all.push(line.split_once(": ").unwrap().1.to_owned());
            None
        }
        TenancyEvent::Ended { cause, .. } => {
            assert_eq!(cause, EndCause::Exited { code: 0 });
            Some(())
        }
        _ => None,
    });
    lines(all)
}

#[test]
fn sockets_are_connected_and_handed_over_where_the_operator_allows_it() {
    let (stage, _) = with_connector();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let start = |allowed: &[&str], steps: String| {
        let mut spec = stage.spec("acme", &steps);
        spec.allowed_networks = allowed.iter().map(|&text| text.to_owned()).collect();
        stage.supervisor.start(spec)
    };
    start(&["127.0.0.1/32"], format!("hello connect:127.0.0.1:{port} exit:0")).unwrap();
    let mut received = String::new();
    listener.accept().unwrap().0.read_to_string(&mut received).unwrap();
    assert_eq!(received, "connected\n");
    assert_eq!(said(&stage), "");
    let hosts = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "127.1", "a\u{7}b"];
    let steps: Vec<String> = hosts.iter().map(|host| format!("connect:{host}:9092")).collect();
    start(&["public"], format!("hello {} exit:0", steps.join(" "))).unwrap();
    expect![[r#"
        denied: tenant `acme` may not reach 127.0.0.1:9092, which is a loopback address (its networks: public); to allow it, add "127.0.0.1" to `networks` of the tenant in the limits file
        denied: tenant `acme` may not reach ::1:9092, which is a loopback address (its networks: public); to allow it, add "::1" to `networks` of the tenant in the limits file
        denied: tenant `acme` may not reach ::ffff:127.0.0.1:9092, which is a loopback address (its networks: public); to allow it, add "127.0.0.1" to `networks` of the tenant in the limits file
        denied: tenant `acme` may not reach 169.254.169.254:9092, which is a link-local address (its networks: public); to allow it, add "169.254.169.254" to `networks` of the tenant in the limits file
        denied: tenant `acme` may not reach 10.0.0.1:9092, which is a private address (its networks: public); to allow it, add "10.0.0.1" to `networks` of the tenant in the limits file
        denied: tenant `acme` may not reach 0.0.0.0:9092, which is an address for special purposes (its networks: public); to allow it, add "0.0.0.0" to `networks` of the tenant in the limits file
        denied: tenant `acme` may not reach 127.1:9092, which is 127.0.0.1, a loopback address (its networks: public); to allow it, add "127.0.0.1" to `networks` of the tenant in the limits file
        not_found: a\u{7}b is no name of a host
    "#]].assert_eq(&said(&stage));
    // A name is resolved, and its addresses are what counts.
    start(&["public"], format!("hello connect:localhost:{port} exit:0")).unwrap();
    let refused = said(&stage);
    assert!(
        refused.starts_with(&format!("denied: tenant `acme` may not reach localhost:{port}, which is "))
            && refused.contains("a loopback address"),
        "{refused}"
    );
    let invalid = start(&["10.0.0.0/40"], "hello".to_owned()).unwrap_err();
    expect!["allowed_networks: 10.0.0.0/40 is not a network; expected an address, or an address with bits, for example 10.1.0.0/16"].assert_eq(&invalid.to_string());
    assert!(matches!(invalid, TenancyError::InvalidNetwork { .. }));
}

#[test]
fn a_worker_has_a_rate_of_connections() {
    let (stage, _) = with_connector();
    let steps = "connect:10.0.0.1:1 ".repeat(30);
    stage.supervisor.start(stage.spec("acme", &format!("hello {steps}exit:0"))).unwrap();
    let said = said(&stage);
    assert!(said.matches("denied: ").count() >= 8, "{said}");
    assert!(said.contains("too_many: 8 connections a second are made for a worker; try again later"), "{said}");
}

#[test]
fn without_a_connector_nothing_is_connected_and_the_next_one_connects_again() {
    let (stage, connector) = with_connector();
    stage.supervisor.end(connector, Duration::from_secs(60)).unwrap();
    stage.until_ended();
    stage.supervisor.start(stage.spec("acme", "hello connect:10.0.0.1:1 exit:0")).unwrap();
    expect![[r#"
        unavailable: the connector is not running; try again later
    "#]]
    .assert_eq(&said(&stage));
    let mut spec = stage.spec("", "connector");
    spec.role = WorkerRole::Connector;
    stage.supervisor.start(spec).unwrap();
    stage.until_greeted();
    stage.supervisor.start(stage.spec("acme", "hello connect:10.0.0.1:1 exit:0")).unwrap();
    assert!(said(&stage).starts_with("denied: "));
}

#[test]
fn only_a_connector_sends_what_a_connector_sends() {
    let stage = Stage::with(|settings| settings.crashes_max = 1);
    stage.start("acme", "hello reached hang");
    expect![[r#"acme: was ended: it sent a frame Reached out of turn: from a process for the role tenant; held []; Quarantine; """#]].assert_eq(&stage.until_ended());
    let mut spec = stage.spec("", "hello reached hang");
    spec.role = WorkerRole::Connector;
    stage.supervisor.start(spec).unwrap();
    expect![[r#": was ended: it sent a frame Reached out of turn: request 1 was not asked, or was answered; held []; Restart { in_ms: 30000 }; """#]].assert_eq(&stage.until_ended());
}
