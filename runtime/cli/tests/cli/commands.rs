//! `check`, `schema`, `inspect` and `try`.

use std::fs;

use expect_test::{Expect, expect};
use weir_tests::guest_path;

use crate::common::{root, run};

fn check_schema(file: &str, expected: Expect) {
    let said = run(&root(), &["schema", file]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    expected.assert_eq(&said.out);
}

#[test]
fn schema_prints_what_a_query_file_would_declare() {
    check_schema(
        "data/flights-sample.parquet",
        expect![[r#"
        schema = {
          date = "timestamp?",
          delay = "i64?",
          distance = "i64?",
          origin = "utf8?",
          destination = "utf8?",
        }
    "#]],
    );
    check_schema(
        "data/flights-sample.jsonl",
        expect![[r#"
        schema = {
          date = "utf8?",
          delay = "i64?",
          distance = "i64?",
          origin = "utf8?",
          destination = "utf8?",
        }
    "#]],
    );
    check_schema(
        "data/flights-sample.csv",
        expect![[r#"
        schema = {
          date = "timestamp?",
          delay = "i64?",
          distance = "i64?",
          origin = "utf8?",
          destination = "utf8?",
        }
    "#]],
    );
}

#[test]
fn a_printed_schema_can_be_declared() {
    let said = run(&root(), &["schema", "data/flights-sample.csv"]);
    let folder = tempfile::tempdir().expect("a folder");
    let data = root().join("data/flights-sample.csv");
    let text = format!(
        "name = \"declared\"\n[sources.flights]\nkind = \"file\"\npath = {data:?}\n{}\
         [sinks.count]\nkind = \"count\"\n",
        said.out
    );
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    let said = run(folder.path(), &["check", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[test]
fn a_suffix_that_tells_nothing_asks_for_the_format() {
    let said = run(&root(), &["schema", "README.md"]);
    assert_eq!(said.code, Some(2));
    expect![[r#"
        error: README.md: the suffix does not tell the format: give --format
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn inspect_says_what_a_module_declares() {
    let module = guest_path("flights").expect("the flights guest");
    let said = run(&root(), &["--json", "inspect", module.to_str().expect("UTF-8")]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let value: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let late = value["functions"]
        .as_array()
        .expect("functions")
        .iter()
        .find(|function| function["name"] == "late")
        .expect("the function `late`");
    assert_eq!(late["kind"], "filter_map");
    assert_eq!(late["output"][0]["name"], "route");
    assert!(value["native_bytes"].as_u64().expect("a size") > 0);
    for import in value["imports"].as_array().expect("imports") {
        assert!(!import.as_str().expect("a name").is_empty());
    }
}

#[test]
fn what_is_no_module_is_refused_with_its_code() {
    let said = run(&root(), &["inspect", "README.md"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("refused (not_wasm)"), "{}", said.err);
}

#[test]
fn try_runs_one_function_over_a_file() {
    let module = guest_path("flights").expect("the flights guest");
    let module = module.to_str().expect("UTF-8");
    let data = "data/flights-sample.jsonl";
    let said =
        run(&root(), &["--json", "try", module, "-i", data, "-f", "late", "-p", "min_delay=100", "--rows-max", "3"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    let account: serde_json::Value = serde_json::from_str(said.err.trim()).expect("JSON");
    let late = fs::read_to_string(root().join(data))
        .expect("the sample")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|flight| flight["delay"].as_i64().expect("a delay") > 100)
        .count();
    assert_eq!(account["rows_out"], late);
    assert!(account["fuel"].as_u64().expect("fuel") > 0);
}

#[test]
fn try_names_the_functions_to_choose_from() {
    let module = guest_path("flights").expect("the flights guest");
    let said = run(&root(), &["try", module.to_str().expect("UTF-8"), "-i", "data/flights-sample.jsonl"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("choose with --function") && said.err.contains("late"), "{}", said.err);
}

#[test]
fn try_refuses_a_parameter_of_another_type() {
    let module = guest_path("flights").expect("the flights guest");
    let module = module.to_str().expect("UTF-8");
    let said = run(&root(), &["try", module, "-i", "data/flights-sample.jsonl", "-f", "late", "-p", "min_delay=soon"]);
    assert_eq!(said.code, Some(2));
    expect![[r#"
        error: --param min_delay: "soon" is no i64
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn try_says_why_an_empty_file_is_no_input() {
    let module = guest_path("flights").expect("the flights guest");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("empty.jsonl"), "").expect("a file");
    let said = run(folder.path(), &["try", module.to_str().expect("UTF-8"), "-i", "empty.jsonl", "-f", "late"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("error: empty.jsonl: no schema can be inferred"), "{}", said.err);
}

/// An Arrow file with three columns of flights, and three that no query reads.
fn odd_file(path: &std::path::Path) {
    use std::sync::Arc;
    use weir_batch::arrow::array::{ArrayRef, Int64Array, NullArray, RecordBatch, StringArray};
    use weir_batch::arrow::datatypes::{Field, Schema};
    let columns: [(&str, ArrayRef); 6] = [
        ("nothing", Arc::new(NullArray::new(2))),
        ("delay", Arc::new(Int64Array::from(vec![61, 5]))),
        ("_id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("origin", Arc::new(StringArray::from(vec!["SEA", "LAX"]))),
        ("twice", Arc::new(Int64Array::from(vec![1, 2]))),
        ("twice", Arc::new(Int64Array::from(vec![3, 4]))),
    ];
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.map(|(_, column)| column).into()).expect("a batch");
    let mut writer =
        weir_batch::arrow::ipc::writer::FileWriter::try_new(fs::File::create(path).expect("a file"), &schema)
            .expect("a writer");
    writer.write(&batch).expect("written");
    writer.finish().expect("written");
}

#[test]
fn columns_that_no_query_reads_are_named_and_stand_in_nobody_s_way() {
    let folder = tempfile::tempdir().expect("a folder");
    odd_file(&folder.path().join("odd.arrow"));
    let said = run(folder.path(), &["schema", "odd.arrow"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    expect![[r#"
        schema = {
          delay = "i64?",
          origin = "utf8?",
        }
        # left out: nothing: type Null is not supported
        # left out: _id: names that begin with `_` are the system's
        # left out: twice: more than one column has this name
        # left out: twice: more than one column has this name
    "#]]
    .assert_eq(&said.out);
    let query = |schema: &str| {
        format!(
            "name = \"odd\"\n[sources.flights]\nkind = \"file\"\npath = \"odd.arrow\"\n{schema}\n\
             [sinks.out]\nkind = \"stdout\"\nformat = \"json_lines\"\n"
        )
    };
    fs::write(folder.path().join("q.toml"), query(&said.out)).expect("the query file");
    let said = run(folder.path(), &["run", "--quiet", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    expect![[r#"
        {"delay":61,"origin":"SEA"}
        {"delay":5,"origin":"LAX"}
    "#]]
    .assert_eq(&said.out);
    fs::write(folder.path().join("q.toml"), query("schema = { nothing = \"i64?\", gone = \"i64\" }")).expect("a file");
    let said = run(folder.path(), &["check", "q.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("a column that cannot be read: type Null is not supported"), "{}", said.err);
    assert!(said.err.contains("sources.flights.schema.gone"), "{}", said.err);
}

#[test]
fn try_reads_what_the_function_reads() {
    let module = guest_path("flights").expect("the flights guest");
    let module = module.to_str().expect("UTF-8");
    let folder = tempfile::tempdir().expect("a folder");
    odd_file(&folder.path().join("odd.arrow"));
    let check = |schema: &str, code: i32, expected: &str| {
        let said = run(folder.path(), &["try", module, "-i", "odd.arrow", "-f", "is_late", "--schema", schema]);
        assert_eq!(said.code, Some(code), "{schema}: {}", said.err);
        assert!(said.err.contains(expected), "{schema}: {}", said.err);
    };
    let said = run(folder.path(), &["--json", "try", module, "-i", "odd.arrow", "-f", "is_late"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, "{\"delay\":61}\n");
    check("delay i64?, origin utf8?", 0, "");
    check("delay utf8?", 2, "field `delay` is declared utf8, and i64 in the file");
    check("delay", 2, "--schema: `delay`: expected a name and a type");
    check("twice i64?, delay i64?", 2, "more than one field `twice`");
}

#[test]
fn try_names_the_records_that_end_the_function_and_goes_on_with_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = weir_tests::guest_path("faulty").expect("a built guest");
    let module = module.to_str().expect("UTF-8");
    let lines: String = (0..1_000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    std::fs::write(folder.path().join("in.jsonl"), lines).expect("the input");
    let arguments = ["try", module, "-i", "in.jsonl", "-f", "panics", "-p", "at=777", "--rows-max", "2"];
    let said = run(folder.path(), &arguments);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let named = said.out.lines().filter(|line| line.starts_with("error: record 777: ")).count();
    assert_eq!(named, 1, "{}", said.out);
    assert!(said.out.contains("1,000 records in") && said.out.contains("1 failed"), "{}", said.out);
    assert!(said.err.contains("1 record ends the function panics"), "{}", said.err);
}

#[test]
fn try_fails_where_every_record_failed_and_escapes_what_it_prints() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = weir_tests::guest_path("flights").expect("a built guest");
    let module = module.to_str().expect("UTF-8");
    std::fs::write(folder.path().join("bad.jsonl"), "{\"delay\":\"late\"}\n{\"delay\":[]}\n").expect("the input");
    let said = run(folder.path(), &["try", module, "-i", "bad.jsonl", "-f", "late"]);
    assert_ne!(said.code, Some(0), "{}{}", said.out, said.err);

    let flight = "{\"origin\":\"A\\u001b[2JB\",\"destination\":\"C\\u202eD\",\"delay\":90}\n";
    std::fs::write(folder.path().join("odd.jsonl"), flight).expect("the input");
    let said = run(folder.path(), &["try", module, "-i", "odd.jsonl", "-f", "late"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("A\\u{1b}[2JB-C\\u{202e}D") && !said.out.contains('\u{1b}'), "{:?}", said.out);
}

#[test]
fn try_and_inspect_keep_to_a_limits_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = weir_tests::guest_path("flights").expect("a built guest");
    let module = module.to_str().expect("UTF-8");
    std::fs::write(folder.path().join("limits.toml"), "[tenants.small]\nmodule_bytes_max = 1000\n")
        .expect("the limits");
    for arguments in [
        vec!["inspect", module, "--limits", "limits.toml", "--tenant", "small"],
        vec!["try", module, "-i", "in.jsonl", "--limits", "limits.toml", "--tenant", "small"],
    ] {
        let said = run(folder.path(), &arguments);
        assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
        assert!(said.err.contains("refused (module_bytes)") || said.err.contains("1000"), "{}", said.err);
    }
}
