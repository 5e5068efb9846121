//! `docs/errors.md` lists every code of the sandbox, and none that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The words between quotes in the functions `code` of a source file.
fn codes_of(source: &str) -> BTreeSet<String> {
    let bodies =
        source.split("fn code(&self) -> &'static str {").skip(1).filter_map(|rest| rest.split("\n    }").next());
    let quoted = bodies.flat_map(|body| body.split('"').skip(1).step_by(2));
    quoted
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_code_is_listed_and_none_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a file of the repository");
    let mut codes = codes_of(&read("runtime/sandbox/src/call_error.rs"));
    codes.extend(codes_of(&read("runtime/admission/src/refusal.rs")));
    assert!(codes.len() > 40, "too few codes were found: {codes:?}");
    // A limit has names of its own, which are no codes.
    codes.retain(|code| !matches!(code.as_str(), "memory" | "table"));
    codes.extend(["undecodable", "null_input", "hidden_state"].map(str::to_owned));

    let document = read("docs/errors.md");
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let listed: BTreeSet<String> = cells
        .flat_map(|cell| cell.split('`').step_by(2))
        .filter(|code| !code.contains(':'))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = codes.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/errors.md does not list {missing:?}");
    let unknown: Vec<_> = listed.difference(&codes).collect();
    assert!(unknown.is_empty(), "docs/errors.md lists codes that do not exist: {unknown:?}");
}
