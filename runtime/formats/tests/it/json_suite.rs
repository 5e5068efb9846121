//! Every case of JSONTestSuite, in every place that JSON is read from. See `tests/data/README.md`.

use weir_batch::arrow::array::BinaryArray;
use weir_formats::{Format, RecordDecoder, RecordFormat};

use crate::support::{decode, schema};

struct Case {
    name: String,
    input: String,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("../data/json-test-suite.jsonl").lines();
    let cases: Vec<Case> = lines
        .map(|line| {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = case["name"].as_str().unwrap().to_owned();
            let input = case["input"].as_str().map(str::to_owned).unwrap_or_else(|| {
                let times = usize::try_from(case["times"].as_u64().unwrap()).unwrap();
                case["repeat"].as_str().unwrap().repeat(times) + case["then"].as_str().unwrap()
            });
            Case { name, input }
        })
        .collect();
    let count = |first: &str| cases.iter().filter(|case| case.name.starts_with(first)).count();
    assert_eq!((count("y_"), count("n_"), count("i_")), (95, 188, 57), "the suite is whole");
    cases
}

/// What is wrong with a message of these bytes.
fn fault(bytes: &[u8]) -> Option<String> {
    let decoder = RecordDecoder::new(RecordFormat::JsonLines, schema("good i64?")).unwrap();
    let decoded = decoder.decode(&BinaryArray::from_vec(vec![bytes])).unwrap();
    assert_eq!(decoded.batch.rows() + decoded.bad.len(), 1);
    decoded.bad.into_iter().next().map(|(_, message)| message)
}

/// What the suite expects of a record that is this case: nothing wrong, something, or that in these words.
fn expected_fault(case: &Case) -> Option<Option<&'static str>> {
    match case.name.get(..2) {
        Some("n_") => Some(None),
        Some("y_") if case.name.starts_with("y_object_duplicated_key") => Some(Some("occurs twice in the record")),
        Some("y_") if !case.input.trim_start().starts_with('{') => Some(Some("not an object")),
        _ => None,
    }
}

/// White space alone is no record, and a byte order mark is none at the beginning of a file.
fn is_blank(text: &str, begins_file: bool) -> bool {
    let text = if begins_file { text.trim_start_matches('\u{feff}') } else { text };
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

#[test]
fn as_the_value_of_a_key_that_is_not_declared() {
    for case in cases() {
        let record = [b"{\"good\":1,\"other\":", case.input.as_bytes(), b"}"].concat();
        let fault = fault(&record);
        match case.name.get(..2) {
            Some("y_") => assert_eq!(fault, None, "{}", case.name),
            Some("n_") => assert!(fault.is_some(), "{} passes", case.name),
            _ => {}
        }
    }
}

#[test]
fn as_a_message() {
    for case in cases().iter().filter(|case| !case.name.starts_with("i_")) {
        match (expected_fault(case), fault(case.input.as_bytes())) {
            (None, fault) => assert_eq!(fault, None, "{}", case.name),
            (Some(words), Some(found)) => assert!(found.contains(words.unwrap_or_default()), "{}: {found}", case.name),
            (Some(_), None) => panic!("{} passes", case.name),
        }
    }
}

#[test]
fn as_a_line_among_others() {
    let mut cases = cases();
    cases.retain(|case| !case.name.starts_with("i_") && !case.input.contains(['\n', '\r']));
    assert!(cases.len() > 250, "{}", cases.len());
    for case in &cases {
        for (before, behind) in
            [("{\"good\":1}\n", ""), ("{\"good\":1}\n", "\n{\"good\":2}\n"), ("", "\n{\"good\":2}\n")]
        {
            let text = format!("{before}{}{behind}", case.input);
            let read = decode(Format::JsonLines, text.as_bytes(), Some(&schema("good i64?")), 1000).unwrap();
            let records = usize::from(!is_blank(&case.input, before.is_empty()));
            let expected = expected_fault(case).filter(|_| records == 1);
            let others = usize::from(!before.is_empty()) + usize::from(!behind.is_empty());
            let place = format!("{} in {before:?} {behind:?}", case.name);
            let bad: Vec<&str> = read.bad.iter().map(|bad| bad.message.as_str()).collect();
            // As the first line some cases are the beginning of an array: then what follows is out of place in it.
            if before.is_empty() && case.input.starts_with('[') && bad.len() > 1 {
                assert!(case.name.starts_with("n_"), "{place}: {bad:?}");
                continue;
            }
            assert_eq!(read.rows().len(), others + records - bad.len(), "{place}: {bad:?}");
            match expected {
                None => assert_eq!(bad, [""; 0], "{place}"),
                Some(words) => {
                    assert_eq!(bad.len(), 1, "{place}: {bad:?}");
                    assert!(bad[0].contains(words.unwrap_or_default()), "{place}: {bad:?}");
                }
            }
        }
    }
}

#[test]
fn as_a_whole_file() {
    for case in cases().iter().filter(|case| case.name.starts_with("n_")) {
        let read = decode(Format::JsonLines, case.input.as_bytes(), Some(&schema("good i64?")), 1000).unwrap();
        let rows = read.rows();
        assert_eq!(rows, [], "{} passes", case.name);
        assert_eq!(read.bad.is_empty(), is_blank(&case.input, true), "{}", case.name);
    }
}
