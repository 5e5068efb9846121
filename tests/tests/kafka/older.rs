//! Dead letters that version 0.1.0 wrote to a topic are listed and replayed.

use std::fs;
use std::path::Path;

use serde_json::Value;
use weir_tests::{Broker, Isolation, Record, Weir};

use crate::support::SOON;

/// The letters as they lay in their topic. Neither keys nor headers were written by that version.
fn letters() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/0.1.0/topic/letters.jsonl");
    let text = fs::read_to_string(path).expect("the fixture");
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        assert!(record["key"].is_null() && record["headers"].as_array().is_some_and(Vec::is_empty));
        record["value"].as_str().expect("a value").to_owned()
    };
    text.lines().map(record).collect()
}

#[test]
fn letters_of_0_1_0_in_a_topic_are_listed_and_replayed() {
    let broker = Broker::shared();
    let (ids, out, dead) = (broker.topic("ids", 1), broker.topic("out", 1), broker.topic("dead", 1));
    let folder = tempfile::tempdir().expect("a folder");
    let name = broker.name("numbers");
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/0.1.0/modules/faulty.wasm");
    // The group is named after the query, and the letters after the query that wrote them.
    let of_this_query = |letter: String| letter.replace("\"query\":\"numbers\"", &format!("\"query\":\"{name}\""));
    broker.produce(&dead, letters().into_iter().map(of_this_query).map(Record::of));
    let brokers = broker.address();
    let query = format!(
        "name = \"{name}\"\n\
         [sources.ids]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{ids}\"\nschema = {{ id = \"i64\" }}\nuntil = \"end\"\n\
         on_error = \"dead_letter\"\n\
         [[stages]]\nname = \"check\"\nmodule = {module:?}\nfunction = \"refuses\"\nparams = {{ at = 1234 }}\n\
         on_error = \"dead_letter\"\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{out}\"\n\
         [dead_letters]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{dead}\"\n\
         [delivery]\nguarantee = \"exactly_once\"\n"
    );
    fs::write(folder.path().join("q.toml"), query).expect("the query");

    let mut list = Weir::in_folder(folder.path()).run(&["--json", "dead-letters", "list", "q.toml"]);
    assert!(list.wait(SOON).success(), "{}", list.stderr());
    for said in ["undecodable", "guest:1", "`three` is not an i64", "record 5 is not wanted"] {
        assert!(list.stdout().contains(said), "no {said} in {}", list.stdout());
    }

    // The stage lets the record pass now.
    let arguments = ["--json", "dead-letters", "replay", "q.toml", "--place", "check"];
    let mut replay = Weir::in_folder(folder.path()).run(&arguments);
    let status = replay.wait(SOON);
    assert!(status.success(), "{status}\n{}", replay.stderr());
    let found = broker.read_all(&out, Isolation::Committed);
    let values: Vec<&[u8]> = found.iter().map(|record| record.value()).collect();
    assert_eq!(values, [br#"{"id":5}"#], "{}", replay.stderr());
}
