//! Ways of getting a sink wrong.

use expect_test::expect;

use super::check_edit;

#[test]
fn an_unknown_sink_kind() {
    check_edit(
        r#"kind = "stdout""#,
        r#"kind = "stdot""#,
        &expect!["late.toml:21: sinks.table.kind: unknown value `stdot`; did you mean `stdout`?"],
    );
}

#[test]
fn a_key_of_another_kind_of_sink() {
    check_edit(
        "rows_max = 10",
        "rotate_bytes_max = 10",
        &expect![
            "late.toml:22: sinks.table.rotate_bytes_max: a stdout sink has no such key; its keys are `kind`, `input`, `on_error`, `retry`, `queue_batches_max`, `format`, `rows_max`, `delimiter`, `quote`, `header`, `nulls`, `comment`"
        ],
    );
}

#[test]
fn rows_of_a_sink_that_shows_all() {
    check_edit(
        "rows_max = 10",
        "rows_max = 10\nformat = \"csv\"",
        &expect![[
            r#"late.toml:22: sinks.table.rows_max: `rows_max` applies only to tables; remove `rows_max`, or use `format = "table"`"#
        ]],
    );
}

#[test]
fn a_sink_over_its_source() {
    check_edit(
        r#"path = "out/late.parquet""#,
        r#"path = "out/../flights.csv""#,
        &expect!["late.toml:26: sinks.archive.path: `sources.flights.path` reads this file; use another file"],
    );
}

#[test]
fn two_sinks_to_one_file() {
    check_edit(
        "rows_max = 10",
        "rows_max = 10\n\n[sinks.other]\nkind = \"file\"\npath = \"./out/late.parquet\"",
        &expect!["late.toml:30: sinks.archive.path: `sinks.other.path` also writes this file; use another file"],
    );
}

#[test]
fn a_queue_out_of_range() {
    check_edit(
        "rows_max = 10",
        "queue_batches_max = 0",
        &expect!["late.toml:22: sinks.table.queue_batches_max: 0 is out of range; use a number from 1 to 1024"],
    );
}

#[test]
fn an_unknown_if_exists() {
    check_edit(
        r#"path = "out/late.parquet""#,
        "path = \"out/late.parquet\"\nif_exists = \"overwrite\"",
        &expect!["late.toml:27: sinks.archive.if_exists: unknown value `overwrite`; use one of `fail`, `replace`"],
    );
}

#[test]
fn a_sink_whose_path_is_a_folder() {
    check_edit(
        r#"path = "out/late.parquet""#,
        "path = \"out/\"\nformat = \"csv\"",
        &expect!["late.toml:26: sinks.archive.path: must end in the name of a file"],
    );
}

#[test]
fn a_sink_named_as_a_stage() {
    check_edit(
        "[sinks.archive]",
        "[sinks.late]",
        &expect!["late.toml:24: sinks.late: the name `late` is already used by a stage; choose another name"],
    );
}

#[test]
fn options_of_csv() {
    let path = "path = \"out/late.parquet\"";
    for (keys, expected) in [
        (
            "path = \"out/late.parquet\"\ndelimiter = \";\"",
            &expect![
                "late.toml:27: sinks.archive.delimiter: `delimiter` applies only to csv, but the format is parquet; remove `delimiter`"
            ],
        ),
        (
            "path = \"out/late.csv\"\nnulls = []",
            &expect![[
                r#"late.toml:27: sinks.archive.nulls: the list is empty; set the text for nulls, for example `nulls = [""]`"#
            ]],
        ),
        (
            "path = \"out/late.tsv\"\nquote = \"\\t\"",
            &expect![[r#"late.toml:27: sinks.archive.quote: `\t` is also the delimiter"#]],
        ),
    ] {
        check_edit(path, keys, expected);
    }
    check_edit(
        "rows_max = 10",
        "nulls = [\"-\"]",
        &expect![
            "late.toml:22: sinks.table.nulls: `nulls` applies only to csv, but the format is table; remove `nulls`"
        ],
    );
}
