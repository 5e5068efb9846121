//! Runs the examples, and holds what they come to.

#![expect(dead_code, reason = "each example has a `main` of its own")]

use std::path::Path;

#[path = "../examples/custom_sink.rs"]
mod custom_sink;
#[path = "../examples/custom_source.rs"]
mod custom_source;
#[path = "../examples/embed.rs"]
mod embed;
#[path = "../examples/memory.rs"]
mod memory;
#[path = "../examples/tenants.rs"]
mod tenants;

#[tokio::test(flavor = "multi_thread")]
async fn a_query_file_runs_inside_a_program() {
    embed::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seed.toml")).await.expect("a run");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_go_in_from_memory_and_come_back() {
    let late = memory::run().await.expect("a run");
    let rows: usize = late.iter().map(|batch| batch.rows()).sum();
    assert_eq!(rows, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_file_uses_a_source_of_the_program() {
    assert_eq!(custom_source::run(custom_source::query()).await.expect("a run"), [9, 16, 25, 36, 49]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_options_and_unknown_names_are_mistakes_with_a_line() {
    let said = async |from: &str, to: &str| {
        let query = custom_source::query().replace(from, to);
        custom_source::run(&query).await.expect_err("a mistake").to_string()
    };
    assert_eq!(said("last = 7", "last = \"x\"").await, "sources.numbers.options: option `last` is no integer");
    assert_eq!(
        said("\"squares\"\noptions", "\"square\"\noptions").await,
        "sources.numbers.connector: no source is registered under the name `square`; did you mean `squares`?"
    );
    assert_eq!(
        said("\"memory\"", "\"nowhere\"").await,
        "sinks.out.connector: no sink is registered under the name `nowhere`; registered are `memory`"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_file_uses_a_sink_of_the_program() {
    assert_eq!(custom_sink::run().await.expect("a run"), 12_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_has_its_own_limits() {
    let said = tenants::run().await.expect("runs");
    assert_eq!(said[0], ("acme", "985 records out".to_owned()));
    assert!(said[1].1.starts_with("failed: stages.late: "), "{said:?}");
    assert!(said[2].1.contains("may not use the tenant `nobody`"), "{said:?}");
}
