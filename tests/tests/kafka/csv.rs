//! Records of CSV whose writer has rules of its own.

use weir_tests::{Broker, Isolation, Record, Weir, guest_path};

use crate::support::SOON;

#[test]
fn records_and_their_letters_are_read_and_written_as_the_options_say() {
    let broker = Broker::shared();
    let (from, to) = (broker.topic("csv-from", 1), broker.topic("csv-to", 1));
    let values = ["1;'a;b'", "2;NULL", "3;'it''s'", "x;'no number'", "4;'open"];
    broker.produce(&from, values.map(Record::of));
    let folder = tempfile::tempdir().expect("a folder");
    let (brokers, group, module) = (broker.address(), broker.name("csv"), guest_path("faulty").expect("a built guest"));
    let query = |at: i64| {
        let text = format!(
            "name = \"semicolons\"\n\
             [sources.in]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {group:?}\nuntil = \"end\"\n\
             format = \"csv\"\ndelimiter = \";\"\nquote = \"'\"\nnulls = [\"NULL\"]\n\
             schema = {{ id = \"i64\", name = \"utf8?\" }}\non_error = \"dead_letter\"\n\
             [[stages]]\nname = \"check\"\nmodule = {module:?}\nfunction = \"refuses\"\nparams = {{ at = {at} }}\n\
             on_error = \"dead_letter\"\n\
             [sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\n\
             format = \"csv\"\ndelimiter = \"|\"\nnulls = [\"-\"]\n\
             [dead_letters]\npath = \"dead.jsonl\"\n"
        );
        std::fs::write(folder.path().join("q.toml"), text).expect("a query file");
    };
    let run = |args: &[&str]| {
        let mut weir = Weir::in_folder(folder.path()).run(args);
        let status = weir.wait(SOON);
        assert!(status.success(), "{args:?}: {status}\n{}", weir.stderr());
    };
    let written = || {
        let read = broker.read_all(&to, Isolation::Committed);
        read.iter().map(|record| String::from_utf8_lossy(record.value()).into_owned()).collect::<Vec<_>>()
    };
    query(3);
    run(&["run", "q.toml"]);
    assert_eq!(written(), ["1|a;b", "2|-"]);
    // The letter holds the record as it was read.
    query(-1);
    run(&["dead-letters", "replay", "q.toml", "--place", "check"]);
    assert_eq!(written(), ["1|a;b", "2|-", "3|it's"]);
}
