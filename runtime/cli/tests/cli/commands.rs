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
fn schema_prints_the_json_schemas_that_are_checked_in() {
    for (flag, file) in [("--query", "docs/weir-query.schema.json"), ("--limits", "docs/weir-limits.schema.json")] {
        let said = run(&root(), &["schema", flag]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(said.out, fs::read_to_string(root().join(file)).unwrap());
    }
    let said = run(&root(), &["schema"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("<FILE>"), "{}", said.err);
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
        error: README.md: the format cannot be determined from the suffix: use --format
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
        error: --param min_delay: "soon" is not a valid i64
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
    assert!(said.err.starts_with("error: empty.jsonl: cannot infer a schema"), "{}", said.err);
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
        # left out: _id: names that begin with `_` are reserved
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
    // If the schema is the file's, the columns that were left out are reported.
    fs::write(folder.path().join("q.toml"), query("infer = true")).expect("the query file");
    let said = run(folder.path(), &["check", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let warnings: String =
        said.out.lines().filter(|line| line.starts_with("warning: ")).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        warning: sources.flights.path: column `nothing` of `odd.arrow` is left out: type Null is not supported
        warning: sources.flights.path: column `_id` of `odd.arrow` is left out: names that begin with `_` are reserved
        warning: sources.flights.path: column `twice` of `odd.arrow` is left out: more than one column has this name
        warning: sources.flights.path: column `twice` of `odd.arrow` is left out: more than one column has this name
    "#]]
    .assert_eq(&warnings);
    let said = run(folder.path(), &["run", "--quiet", "q.toml"]);
    assert_eq!(said.out, "{\"delay\":61,\"origin\":\"SEA\"}\n{\"delay\":5,\"origin\":\"LAX\"}\n", "{}", said.err);
    // A line each, of the first ones.
    let many: String = (0..100).map(|index| format!(",_{index}")).collect();
    fs::write(folder.path().join("many.csv"), format!("delay{many}\n5{}\n", ",1".repeat(100))).expect("a file");
    fs::write(folder.path().join("q.toml"), query("infer = true").replace("odd.arrow", "many.csv"))
        .expect("the query file");
    let said = run(folder.path(), &["check", "q.toml"]);
    assert_eq!(said.out.lines().filter(|line| line.starts_with("warning: ")).count(), 17, "{}", said.out);
    assert!(said.out.contains("84 more columns of `many.csv` are left out"), "{}", said.out);
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
    check("delay utf8?", 2, "field `delay` is declared as utf8, but is i64 in the file");
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
        let expected = "is refused (module_too_large): module size limit reached: limit 1000 B, found ";
        assert!(said.err.contains(expected), "{}", said.err);
    }
}

#[test]
fn try_finds_out_what_a_function_keeps_in_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = weir_tests::guest_path("faulty").expect("a built guest");
    let module = module.to_str().expect("UTF-8");
    // Each number twice, far apart: a function that keeps what it saw lets the second one through only where it was not there.
    let lines: String = (0..1_000).map(|id| format!("{{\"id\":{}}}\n", id % 500)).collect();
    fs::write(folder.path().join("in.jsonl"), lines).expect("the input");
    let check = |function: &str, code: i32, expected: Expect| {
        let said = run(folder.path(), &["try", module, "-i", "in.jsonl", "-f", function, "--rows-max", "0"]);
        assert_eq!(said.code, Some(code), "{function}: {}{}", said.out, said.err);
        expected.assert_eq(&said.err);
    };
    // The same function with its state hidden, declared, and without any.
    check(
        "secretly_fresh",
        1,
        expect![[r#"
        error: hidden_state: function secretly_fresh gives other results in other batches on new instances: 1000 rows in the second run, 500 in the first; it keeps state that its module does not declare (`#[transform]` on an `impl`, or "state":"kept" in the manifest)
    "#]],
    );
    check("fresh", 0, expect![""]);
    check("panics", 0, expect![""]);
    // A module made by hand that counts its records in a global, and passes every seventh.
    let text = r#"(module
        (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global $seen (mut i32) (i32.const 0))
        (func (export "weir_call_seventh") (param $rows i32) (result i32) (local $row i32) (local $at i32)
            (memory.fill (i32.const 0) (i32.const 0) (i32.const 2048))
            (loop $next
                (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
                (if (i32.eqz (i32.rem_u (global.get $seen) (i32.const 7))) (then
                    (local.set $at (i32.shr_u (local.get $row) (i32.const 3)))
                    (i32.store8 (local.get $at) (i32.or (i32.load8_u (local.get $at))
                        (i32.shl (i32.const 1) (i32.and (local.get $row) (i32.const 7)))))))
                (local.set $row (i32.add (local.get $row) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
            (call $emit_filter (i32.const 0) (local.get $rows)))
        (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22seventh\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22,\22input\22:[{\22name\22:\22id\22,\22type\22:\22i64\22}]STATE}"))"#;
    let try_with = |state: &str| {
        let bytes = wat::parse_str(text.replace("STATE", state)).expect("a module");
        fs::write(folder.path().join("seventh.wasm"), bytes).expect("a file");
        run(folder.path(), &["try", "seventh.wasm", "-i", "in.jsonl", "--schema", "id i64", "--rows-max", "0"])
    };
    for state in ["", ",\\22state\\22:\\22none\\22"] {
        let said = try_with(state);
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        assert!(said.err.contains("hidden_state: function seventh gives other results"), "{}", said.err);
    }
    let said = try_with(",\\22state\\22:\\22kept\\22");
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}

#[test]
fn a_refused_module_is_refused_in_the_same_words_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let nest = "loop ".repeat(65) + &"end ".repeat(65);
    let text = format!(
        r#"(module (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "weir_call_f") (param i32) (result i32) (call $emit_filter (i32.const 0) (local.get 0)))
            (func $deep {nest})
            (@custom "weir.manifest" "{{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}}"))"#
    );
    let module = wat::parse_str(text).expect("a module");
    fs::write(folder.path().join("deep.wasm"), &module).expect("a file");
    let query = "name = \"q\"\n[sources.seed]\nkind = \"generator\"\nbatches = 1\n[[stages]]\nname = \"s\"\n\
                 module = \"deep.wasm\"\nfunction = \"f\"\n[sinks.out]\nkind = \"count\"\n";
    fs::write(folder.path().join("q.toml"), query).expect("the query file");
    let commands: [&[&str]; 4] =
        [&["inspect", "deep.wasm"], &["check", "q.toml"], &["run", "q.toml"], &["try", "deep.wasm", "-i", "q.toml"]];
    let same_words = |expected: &str| {
        for command in commands {
            let said = run(folder.path(), command);
            assert_eq!(said.code, Some(2), "{command:?}: {}", said.err);
            let (_, words) =
                said.err.split_once("`deep.wasm` is refused ").unwrap_or_else(|| panic!("{command:?}: {}", said.err));
            assert_eq!(words.trim_end(), expected, "{command:?}");
        }
    };
    same_words(
        "(shape_limit): function 2 `deep`: loop nesting depth limit reached: limit 64, found 65; build with \
        `opt-level = \"s\"`, which inlines less, or split the function, or raise `loop_depth_max` in the limits file",
    );
    // A file that is larger than what is read, said without reading it.
    fs::File::create(folder.path().join("deep.wasm")).and_then(|file| file.set_len(1 << 40)).expect("a large file");
    same_words(
        "(module_too_large): file size limit reached: limit 32 MiB, found 1048576 MiB; strip debug information \
        (Rust: `strip = true` in the profile; others: `wasm-strip`), or raise `module_file_bytes_max` in the limits file",
    );
    // Raised, it is admitted: for a stage by itself, and by a limits file.
    fs::write(folder.path().join("deep.wasm"), &module).expect("a file");
    fs::write(folder.path().join("limits.toml"), "unknown_tenants = \"defaults\"\n[defaults]\nloop_depth_max = 65\n")
        .expect("limits");
    for command in
        [&["inspect", "--limits", "limits.toml", "deep.wasm"][..], &["run", "--limits", "limits.toml", "q.toml"]]
    {
        let said = run(folder.path(), command);
        assert_eq!(said.code, Some(0), "{command:?}: {}", said.err);
    }
    fs::write(folder.path().join("q.toml"), query.replace("[sinks", "[stages.limits]\nloop_depth_max = 66\n[sinks"))
        .expect("a file");
    assert_eq!(run(folder.path(), &["run", "q.toml"]).code, Some(0));
    let said = run(folder.path(), &["check", "--limits", "limits.toml", "q.toml"]);
    assert!(said.err.contains("66 exceeds the limit of tenant `default`: 65"), "{}", said.err);
}
