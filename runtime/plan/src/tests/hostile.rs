//! Damaged query files: an error or a plan, never a panic.

use std::path::Path;

use proptest::prelude::*;

use super::super::{LimitsFile, Plan};
use super::{GOOD, folder};

/// Texts that mean something to TOML or to the checks, to be put in at random.
const SPLINTERS: [&str; 16] = [
    "\"",
    "'''",
    "[",
    "]]",
    "{",
    "=",
    "\n",
    "\r",
    "\0",
    "\u{202e}",
    "é",
    "999999999999999999999999",
    "inf",
    "2024-01-01",
    "../../../../../../etc",
    "sources.flights.schema.a.b = 1\n",
];

fn char_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at % (text.len() + 1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(
        cuts in prop::collection::vec((any::<usize>(), 0_usize..40, 0..SPLINTERS.len()), 1..6),
        end in any::<usize>(),
        truncate in any::<bool>(),
    ) {
        let folder = folder();
        let mut text = GOOD.to_owned();
        for (at, removed, splinter) in cuts {
            let from = char_boundary(&text, at);
            let to = text.floor_char_boundary((from + removed).min(text.len()));
            text.replace_range(from..to.max(from), SPLINTERS[splinter]);
        }
        if truncate {
            text.truncate(char_boundary(&text, end));
        }
        if let Err(problems) = Plan::parse(&text, folder.path()) {
            prop_assert!(!problems.is_empty());
            let lines = text.split('\n').count();
            for problem in problems {
                prop_assert!((1..=lines).contains(&problem.line), "{problem:?}");
                prop_assert!(!problem.to_string().chars().any(char::is_control), "{problem:?}");
            }
        }
    }
}

/// A limits file without a mistake, but for the folder, which is not there.
const LIMITS: &str = r#"unknown_tenants = "refuse"
[defaults]
memory_bytes_max = 33554432
cpu_percent_max = "none"
[tenants.acme]
trap_pause_ms_max = 2000
folders = [".", "out"]
topics = ["acme.*", "shared"]
brokers = ["kafka-1:9092"]
env = ["ACME_*"]
[tenants.beta]
hardened = true
"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_limits_files_never_panic(
        cuts in prop::collection::vec((any::<usize>(), 0_usize..20, 0..SPLINTERS.len()), 1..4),
    ) {
        let mut text = LIMITS.to_owned();
        for (at, removed, splinter) in cuts {
            let from = char_boundary(&text, at);
            let to = text.floor_char_boundary((from + removed).min(text.len()));
            text.replace_range(from..to.max(from), SPLINTERS[splinter]);
        }
        if let Err(problems) = LimitsFile::parse(&text, Path::new(".")) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!((1..=text.split('\n').count()).contains(&problem.line), "{problem:?}");
                prop_assert!(!problem.to_string().chars().any(char::is_control), "{problem:?}");
            }
        }
    }
}

#[test]
fn lines_of_the_good_file_in_any_order_never_panic() {
    let folder = folder();
    let lines: Vec<&str> = GOOD.lines().collect();
    for skip in 0..lines.len() {
        for swap in [0, 7, 11] {
            let mut lines = lines.clone();
            lines.remove(skip);
            let last = lines.len() - 1;
            lines.swap(swap % last, last);
            if let Err(problems) = Plan::parse(&lines.join("\n"), folder.path()) {
                assert!(!problems.is_empty());
            }
        }
    }
}

#[test]
fn texts_that_nest_or_repeat_without_end() {
    let folder = folder();
    for text in [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}1{}", "{ a = ".repeat(50_000), " }".repeat(50_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        "[[stages]]\n".repeat(100_000),
        "a\n".repeat(100_000),
        format!("name = \"{}\"", "é".repeat(100_000)),
    ] {
        let problems = Plan::parse(&text, folder.path()).unwrap_err();
        assert!(!problems.is_empty());
        let longest = problems.iter().map(|problem| problem.to_string().len()).max();
        assert!(longest < Some(1000), "{longest:?}");
    }
}
