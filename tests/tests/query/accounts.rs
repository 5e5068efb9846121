//! Commits, files, and whether what a query says of itself is what happened.

use std::fs;

use weir_query::Ending;

use crate::support::{Text, counter, run};

#[tokio::test]
async fn with_commits_on_the_way_files_are_published_one_by_one_and_hold_everything_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = Text::new()
        .seed("seed", 2000)
        .stage("pass", "seed", "pass", "")
        .stage("seen", "faulty", "seen", "")
        .add("[sinks.files]\nkind = \"file\"\npath = \"out.csv\"\n[delivery]\ncommit_ms = 20");
    let summary = run(&text, folder.path(), Default::default()).await.expect("a run");
    assert!(summary.progress.commits > 1, "{summary}");
    assert_eq!(summary.progress.committed_records, 2_000_000);
    assert_eq!(counter(&summary, "records"), 2_000_000.0);
    let mut files: Vec<_> =
        fs::read_dir(folder.path()).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert_eq!(files.len() as u64, summary.progress.sinks[0].files);
    let mut lines = 0;
    for file in &files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name.starts_with("out-0") && name.ends_with(".csv"), "{name}");
        lines += fs::read_to_string(file).expect("a file").lines().count() - 1;
    }
    assert_eq!(lines, 2_000_000);
}

#[tokio::test]
async fn a_file_that_exists_stops_the_query_before_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("out.csv"), "precious").expect("a file");
    let text = Text::new().seed("seed", 1).add("[sinks.file]\nkind = \"file\"\npath = \"out.csv\"");
    let built = weir_query::Query::build(text.plan(folder.path()), &crate::support::engine()).await;
    let Err(error) = built else { panic!("the query was built over a file that exists") };
    let message = error.to_string();
    assert!(message.starts_with("sinks.file: ") && message.contains("exists"), "{message}");
    assert_eq!(fs::read_to_string(folder.path().join("out.csv")).expect("the file"), "precious");
}

#[tokio::test]
async fn every_format_out_is_read_back_in_with_every_record() {
    for format in ["jsonl", "csv", "parquet", "arrow"] {
        let folder = tempfile::tempdir().expect("a folder");
        let out = Text::new().seed("seed", 3).add(&format!("[sinks.file]\nkind = \"file\"\npath = \"out.{format}\""));
        run(&out, folder.path(), Default::default()).await.expect("a run");
        let back = Text::new()
            .add(&format!(
                "[sources.file]\nkind = \"file\"\npath = \"out.{format}\"\n\
                 schema = {{ id = \"i64\", name = \"utf8\", value = \"f64\" }}"
            ))
            .stage("seen", "faulty", "seen", "")
            .sink("count", "");
        let summary = run(&back, folder.path(), Default::default()).await.expect("a run");
        assert_eq!((summary.ending, counter(&summary, "records")), (Ending::EndOfInput, 3000.0), "{format}");
        let file = fs::metadata(folder.path().join(format!("out.{format}"))).expect("the file").len();
        let read = summary.progress.sources[0].bytes;
        // Of Parquet and Arrow IPC the records are counted, and not what the format puts around them.
        let text = ["jsonl", "csv"].contains(&format);
        assert!(if text { read == file } else { (1..=file).contains(&read) }, "{format}: {read} of {file}");
    }
}

#[tokio::test]
async fn a_torn_file_fails_the_query_and_says_which() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = Text::new().seed("seed", 3).add("[sinks.file]\nkind = \"file\"\npath = \"out.arrow\"");
    run(&out, folder.path(), Default::default()).await.expect("a run");
    let plan = Text::new().add("[sources.file]\nkind = \"file\"\npath = \"out.arrow\"").sink("count", "");
    let plan = plan.plan(folder.path());
    let file = folder.path().join("out.arrow");
    let bytes = fs::read(&file).expect("the file");
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("a torn file");
    let query = weir_query::Query::build(plan, &crate::support::engine()).await.expect("a query");
    let error = query.run().await.expect_err("a failure");
    assert!(error.to_string().contains("sources.file: ") && error.to_string().contains("out.arrow"), "{error}");
}
