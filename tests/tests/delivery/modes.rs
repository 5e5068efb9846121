//! One bad record in a thousand, in every mode.

use std::fs;

use serde_json::Value;

use crate::support::{AT_LEAST_ONCE, EXACTLY_ONCE, input, query, run_to_end, written};

#[test]
fn of_a_thousand_records_one_is_bad_and_the_others_arrive_once() {
    for delivery in [AT_LEAST_ONCE, EXACTLY_ONCE, ""] {
        for function in ["panics", "refuses", "loops"] {
            for policy in ["dead_letter", "retry"] {
                let folder = tempfile::tempdir().expect("a folder");
                input(folder.path(), 1_000);
                query(folder.path(), &format!("{delivery}\n[dead_letters]\npath = \"dead.jsonl\"\n"));
                let text = fs::read_to_string(folder.path().join("numbers.toml")).expect("the query");
                let retry = match policy {
                    "retry" => "retry = { times_max = 2, backoff_ms = 1, then = \"dead_letter\" }\n",
                    _ => "",
                };
                let module = weir_tests::guest_path("faulty").expect("a built guest");
                let stage = format!(
                    "[[stages]]\nname = \"faulty\"\nmodule = {module:?}\nfunction = \"{function}\"\n\
                     params = {{ at = 777 }}\non_error = \"{policy}\"\n{retry}\
                     [stages.limits]\nfuel_batch_max = 1000000\n[sinks.out]"
                );
                fs::write(folder.path().join("numbers.toml"), text.replace("[sinks.out]", &stage)).expect("the query");
                let summary = run_to_end(folder.path());
                let case = format!("{function}, {policy}, {delivery}");
                let found = written(folder.path());
                let expected: Vec<u64> = (0..1_000).filter(|id| *id != 777).collect();
                assert_eq!(found, expected, "{case}");
                let letters = fs::read_to_string(folder.path().join("dead.jsonl")).expect("the letters");
                let letters: Vec<Value> =
                    letters.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect();
                assert_eq!(letters.len(), 1, "{case}: {letters:?}");
                assert_eq!((&letters[0]["record"]["id"], &letters[0]["offset"]), (&777.into(), &777.into()), "{case}");
                assert_eq!(letters[0]["place"], "faulty", "{case}");
                let retries = summary["stages"][1]["retries"].as_u64();
                assert_eq!(retries, Some(if policy == "retry" { 2 } else { 0 }), "{case}");
            }
        }
    }
}
