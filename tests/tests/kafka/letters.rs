//! A query from a topic to a topic inside this process, with dead letters to a third.

use std::path::Path;

use expect_test::expect;
use weir_plan::Plan;
use weir_query::{Query, Summary};
use weir_sandbox::{Engine, EngineConfig};
use weir_tests::{Broker, Isolation, Record};

fn plan(text: &str, broker: &Broker) -> Plan {
    Plan::parse(&text.replace("BROKERS", broker.address()), Path::new(".")).expect("a plan")
}

async fn run(plan: Plan) -> Result<Summary, weir_query::RunError> {
    let engine = Engine::new(&EngineConfig::default()).expect("an engine");
    Query::build(plan, &engine).await.expect("a query").run().await
}

fn id(id: i64, partition: i32) -> Record {
    Record::of(format!("{{\"id\":{id}}}")).to(partition)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_dead_letters_go_to_topics_and_positions_to_the_group() {
    let broker = Broker::shared();
    let (input, out, dead) = (broker.topic("in", 2), broker.topic("out", 1), broker.topic("dead", 1));
    broker.produce(&input, (0..500).map(|it| id(it, 0)));
    broker.produce(&input, [Record::of("no json").key("k").to(0)]);
    broker.produce(&input, (500..1000).map(|it| id(it, 1)));
    let text = format!(
        r#"
name = "q"
tenant = "acme"
[sources.in]
kind = "kafka"
brokers = "BROKERS"
topic = "{input}"
group = "{group}"
partitions = "all"
until = "end"
schema = {{ id = "i64" }}
on_error = "dead_letter"
[sinks.out]
kind = "kafka"
brokers = "BROKERS"
topic = "{out}"
[dead_letters]
kind = "kafka"
brokers = "BROKERS"
topic = "{dead}"
"#,
        group = broker.name("group")
    );
    let summary = run(plan(&text, &broker)).await.expect("a run");
    let counted = &summary.progress.sources[0];
    assert_eq!((counted.records, counted.dead), (1001, 1));

    let mut written: Vec<i64> = broker
        .read_all(&out, Isolation::Committed)
        .iter()
        .map(|record| {
            let value: serde_json::Value = serde_json::from_slice(record.value()).expect("JSON");
            value["id"].as_i64().expect("an id")
        })
        .collect();
    written.sort_unstable();
    assert_eq!(written, (0..1000).collect::<Vec<_>>());
    let letters = broker.read_all(&dead, Isolation::Committed);
    assert_eq!((letters.len(), letters[0].value()), (1, &b"no json"[..]));
    let headers = format!("{:?}", letters[0].headers);
    for name in ["weir.error.origin", "weir.error.partition", "weir.error.offset", "weir.letter.value"] {
        assert!(headers.contains(name), "{headers}");
    }

    // A second run finds nothing to do.
    let again = run(plan(&text, &broker)).await.expect("a second run");
    assert_eq!(again.progress.sources[0].records, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_decode_is_named_by_its_place() {
    let broker = Broker::shared();
    let input = broker.topic("in", 2);
    broker.produce(&input, (0..4).map(|it| id(it, 0)));
    broker.produce(&input, (4..7).map(|it| id(it, 1)));
    broker.produce(&input, [Record::of("{\"id\":\"x\"}").to(1)]);
    let text = format!(
        "name = \"q\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = \"BROKERS\"\ntopic = \"{input}\"\ngroup = \"{}\"\n\
         partitions = \"all\"\nuntil = \"end\"\nschema = {{ id = \"i64\" }}\n[sinks.out]\nkind = \"count\"\n",
        broker.name("group")
    );
    let error = run(plan(&text, &broker)).await.expect_err("a record that does not decode");
    expect![[r#"sources.ids: in [1]: the record at offset 3 cannot be decoded: field `id`: `x` is not an i64; to continue, set `on_error = "skip"` or `"dead_letter"`"#]]
        .assert_eq(&error.cause.to_string().replace(&input, "in"));
}
