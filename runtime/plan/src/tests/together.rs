//! Queries that run side by side: what they must not do to each other.

use std::fs;

use expect_test::{Expect, expect};

use super::super::{LimitsFile, Plan};
use super::{folder, relative};

/// A query of a generator; `rest` holds further lines.
fn query(name: &str, rest: &str) -> String {
    format!("name = \"{name}\"\ntenant = \"acme\"\n{rest}\n")
}

const SEED: &str = "[sources.seed]\nkind = \"generator\"\nbatches = 1\n";

fn to_file(path: &str, rest: &str) -> String {
    format!("{SEED}[sinks.out]\nkind = \"file\"\npath = \"{path}\"\n{rest}")
}

fn from_file(path: &str) -> String {
    let source =
        format!("[sources.in]\nkind = \"file\"\npath = \"{path}\"\nformat = \"csv\"\nschema = {{ id = \"i64\" }}");
    format!("{source}\n[sinks.count]\nkind = \"count\"")
}

/// Compares what is wrong with files `0.toml`, `1.toml`, … that are to run together.
fn check(texts: &[String], limits: Option<&str>, expect: &Expect) {
    let folder = folder();
    let mut paths = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        paths.push(folder.path().join(format!("{index}.toml")));
        fs::write(&paths[index], text).unwrap();
    }
    fs::write(folder.path().join("ids-000007.csv"), "id\n1\n").unwrap();
    let limits = limits.map(|text| LimitsFile::parse(text, folder.path()).unwrap());
    let said = match Plan::load_all(&paths, limits.as_ref()) {
        Ok(plans) => plans.iter().map(|plan| format!("{} is right\n", plan.name)).collect::<String>(),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    };
    expect.assert_eq(&relative(&said, folder.path()));
}

#[test]
fn queries_that_keep_out_of_each_others_way() {
    let other_tenant = query("a", &to_file("c.csv", "")).replace("acme", "beta");
    let texts = [query("a", &to_file("a.csv", "")), query("b", &to_file("b.csv", "")), other_tenant];
    check(
        &texts,
        None,
        &expect![[r#"
            a is right
            b is right
            a is right
        "#]],
    );
    // Many may read a file, and have a module, that none of them writes.
    let texts = [query("a", &from_file("ids-000007.csv")), query("b", &from_file("ids-000007.csv"))];
    check(
        &texts,
        None,
        &expect![[r#"
            a is right
            b is right
        "#]],
    );
}

#[test]
fn two_of_one_name() {
    let text = query("a", &to_file("a.csv", ""));
    check(
        &[text.clone(), text],
        None,
        &expect![[r#"
            1.toml:1: name: this run already has a query `a` of tenant `acme`; give one of them another name
            1.toml:8: sinks.out.path: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
}

#[test]
fn a_file_that_another_query_writes() {
    check(
        &[
            query("a", &to_file("x/../same.csv", "")),
            query("b", &to_file("same.csv", "")),
            query("c", &(to_file("c.csv", "") + "[dead_letters]\npath = \"./same.csv\"")),
        ],
        None,
        &expect![[r#"
            1.toml:8: sinks.out.path: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
            2.toml:10: dead_letters.path: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
}

#[test]
fn a_file_that_another_query_reads() {
    let reads = query("a", &from_file("ids-000007.csv"));
    let writes = query("b", &to_file("x/../ids-000007.csv", "if_exists = \"replace\""));
    check(
        &[reads.clone(), writes.clone()],
        None,
        &expect![[r#"
            0.toml:5: sources.in.path: query `b` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
    check(
        &[writes, reads],
        None,
        &expect![[r#"
            1.toml:5: sources.in.path: query `b` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
}

#[test]
fn numbered_files_count_by_every_name_that_they_may_have() {
    let numbered = query("a", &to_file("ids.csv", "rotate_bytes_max = 1000"));
    check(
        &[numbered.clone(), query("b", &from_file("ids-000007.csv"))],
        None,
        &expect![[r#"
            1.toml:5: sources.in.path: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
    check(
        &[query("b", &to_file("ids-123456.csv", "")), numbered],
        None,
        &expect![[r#"
            0.toml:8: sinks.out.path: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
}

#[test]
fn another_query_file_is_not_written_over() {
    let texts = [
        query("a", &to_file("1.toml", "format = \"csv\"\nif_exists = \"replace\"")),
        query("b", &to_file("b.csv", "")),
    ];
    check(
        &texts,
        None,
        &expect![[r#"
            1.toml: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
        "#]],
    );
}

#[test]
fn one_standard_output_and_one_standard_input() {
    let stdout = format!("{SEED}[sinks.table]\nkind = \"stdout\"\n");
    check(
        &[query("a", &stdout), query("b", &stdout), query("c", &stdout)],
        None,
        &expect![[r#"
            1.toml:6: sinks.table: query `a` of tenant `acme` also writes to standard output (`sinks.table`); write one of them to a file
            2.toml:6: sinks.table: query `a` of tenant `acme` also writes to standard output (`sinks.table`); write one of them to a file
        "#]],
    );
    let null = from_file("/dev/null");
    check(
        &[query("a", &null), query("b", &null)],
        None,
        &expect![[r#"
            1.toml:5: sources.in.path: query `a` of tenant `acme` also reads this, but it can be read only once (`sources.in.path`); read it in one query
        "#]],
    );
}

#[test]
fn instances_of_a_tenant_are_counted_over_its_queries() {
    let stage = "[[stages]]\nname = \"late\"\nmodule = \"flights.wasm\"\nfunction = \"delays\"\n";
    let source = "[sources.flights]\nkind = \"file\"\npath = \"sample.parquet\"\n";
    let text = |name: &str| query(name, &format!("{source}{stage}[sinks.count]\nkind = \"count\""));
    let texts = [text("a"), text("b"), text("c"), text("a").replace("acme", "beta")];
    check(
        &texts,
        Some("unknown_tenants = \"defaults\"\n[defaults]\ninstances_max = 2"),
        &expect![[r#"
            2.toml:1: name: together with this query, the queries of tenant `acme` in this run need 3 instances at once, but it may have only 2; run fewer of them together, or raise `instances_max` in the limits file
        "#]],
    );
    check(
        &texts,
        Some("unknown_tenants = \"defaults\"\n[defaults]\ninstances_max = 3"),
        &expect![[r#"
            a is right
            b is right
            c is right
            a is right
        "#]],
    );
}

#[test]
fn every_mistake_of_every_file_in_their_order() {
    let texts = [
        query("a", &to_file("same.csv", "")),
        query("B", "typo = 1"),
        query("c", &to_file("same.csv", "")),
        query("d", "[sources"),
    ];
    check(
        &texts,
        None,
        &expect![[r#"
            1.toml:1: name: invalid name `B`; use at most 64 of a-z, 0-9, `_` and `-`, a letter or digit first
            1.toml:1: sources: missing; write for example `[sources.flights]` with `kind = "file"` and `path = "flights.parquet"`
            1.toml:1: sinks: missing; write for example `[sinks.table]` with `kind = "stdout"`
            1.toml:3: typo: a query has no such key; its keys are `name`, `tenant`, `sources`, `stages`, `delivery`, `sinks`, `batching`, `dead_letters`
            2.toml:8: sinks.out.path: query `a` of tenant `acme` writes this file (`sinks.out.path`); use separate files for each query
            3.toml:3: not valid TOML: unclosed table, expected `]`
        "#]],
    );
}

#[test]
fn queries_of_one_consumer_group() {
    let kafka = |group: &str, brokers: &str| {
        let source =
            format!("[sources.in]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"in\"\nformat = \"raw\"");
        format!("{source}\n{group}\n[sinks.count]\nkind = \"count\"")
    };
    let group = "group = \"acme.shared\"";
    let texts = [
        query("a", &kafka(group, "b1:9092")),
        query("b", &kafka(group, "b2:9092,B1:9092")),
        query("c", &kafka(group, "b3:9092")),
        query("d", &kafka("", "b1:9092")),
    ];
    check(
        &texts,
        None,
        &expect![[r#"
        1.toml:8: sources.in.group: query `a` of tenant `acme` also uses group `acme.shared` (`sources.in.group`), so each would get only part of the records; use a separate group for each query
    "#]],
    );
}
