//! A query from a topic to a topic, with dead letters to a third.

use std::path::Path;

use expect_test::expect;
use weir_formats::RecordFormat;
use weir_sandbox::{Engine, EngineConfig};

use super::*;
use crate::{Plan, Query};

#[tokio::test(flavor = "multi_thread")]
async fn records_and_dead_letters_go_to_topics_and_positions_to_the_group() {
    let cluster = cluster(2);
    for topic in ["out", "dead"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..500);
    writer.whole("k", "no json", 5, &[]);
    writer.ids("in", 1, 500..1000);
    let text = r#"
name = "q"
tenant = "acme"
[sources.in]
kind = "kafka"
brokers = "BROKERS"
topic = "in"
partitions = "all"
until = "end"
schema = { id = "i64" }
on_error = "dead_letter"
[sinks.out]
kind = "kafka"
brokers = "BROKERS"
topic = "out"
[dead_letters]
kind = "kafka"
brokers = "BROKERS"
topic = "dead"
"#;
    let text = text.replace("BROKERS", &cluster.bootstrap_servers());
    let plan = || Plan::parse(&text, Path::new(".")).unwrap();
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let run = async || Query::build(plan(), &engine).await.unwrap().run().await.unwrap();
    let summary = run().await;
    let counted = &summary.progress.sources[0];
    assert_eq!((counted.records, counted.dead), (1001, 1));

    let read = |topic: &str| KafkaSourceConfig {
        topics: vec![topic.to_owned()],
        group: "reader".to_owned(),
        ..config(&cluster)
    };
    assert_eq!(sorted_ids(&all(&mut open(&read("out"))).await), (0..1000).collect::<Vec<_>>());
    let raw = Arc::new(Schema::new(vec![Field::new("value", DataType::Utf8)]).unwrap());
    let letters = KafkaSourceConfig { format: RecordFormat::Raw, ..read("dead") };
    let letters = all(&mut KafkaSource::new(letters, raw).unwrap()).await;
    let letter = &letters[0].batch;
    assert!(letter.to_string().contains("no json"), "{letter}");
    let headers = format!("{:?}", letter.system().headers);
    for name in ["weir.error.origin", "weir.error.partition", "weir.error.offset", "weir.letter.value"] {
        assert!(headers.contains(name), "{headers}");
    }

    // A second run finds nothing to do.
    assert_eq!(run().await.progress.sources[0].records, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_decode_is_named_by_its_place() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..4);
    writer.ids("in", 1, 4..7);
    writer.value("in", 1, Some(b"{\"id\":\"x\"}"));
    writer.flush();
    let text = "name = \"q\"\n[sources.ids]\nkind = \"kafka\"\nbrokers = \"BROKERS\"\ntopic = \"in\"\n\
                partitions = \"all\"\nuntil = \"end\"\nschema = { id = \"i64\" }\n[sinks.out]\nkind = \"count\"\n";
    let plan = Plan::parse(&text.replace("BROKERS", &cluster.bootstrap_servers()), Path::new(".")).unwrap();
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let error = Query::build(plan, &engine).await.unwrap().run().await.unwrap_err();
    expect![[r#"sources.ids: in [1]: the record at offset 3 does not decode: field `id`: `x` is not an i64; `on_error = "skip"` or "dead_letter" would go on"#]].assert_eq(&error.cause.to_string());
}
