//! The fuzz targets over bounded random input, for machines that have no fuzzer: see `docs/fuzzing.md`.

use proptest::collection::vec;
use proptest::prelude::*;
use weir_corpora::{
    HostProgram, KINDS, Rng, fuzz_host_functions, fuzz_kept_state, fuzz_letters, fuzz_manifest, fuzz_prescan,
    fuzz_query_file, host_module, manifest_line,
};

/// A place in the bytes, by its share of them, and what comes there.
type Edit = (prop::sample::Index, prop::sample::Index, Vec<u8>);

/// Some bytes replaced by others, a few times.
fn edits(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<Edit>> {
    let piece =
        prop_oneof![vec(any::<u8>(), 0..4), prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),];
    vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), piece), 0..5)
}

fn edited(mut bytes: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for (from, length, piece) in edits {
        let from = from.index(bytes.len() + 1);
        let to = (from + length.index(9)).min(bytes.len());
        bytes.splice(from..to, piece);
    }
    bytes
}

const MANIFEST_PIECES: &[&str] = &[
    "null",
    "-1",
    "1e999",
    "\"\"",
    "{}",
    "[]",
    ",",
    "\n",
    "\\u0000",
    "\\ud800",
    "\"abi\":1,",
    "\"default\":9007199254740993",
    "_key",
    "\"nullable\":true",
    "\"type\":\"binary\"",
    "\"buckets\":[1,1]",
    "\"labels\":[\"l\"]",
    "é",
];

const QUERY: &str = r#"
name = "q"
tenant = "acme"
[sources.s]
kind = "generator"
batches = 3
[[stages]]
name = "late"
module = "no-such.wasm"
function = "late"
params = { min_delay = 60 }
on_error = "dead_letter"
[stages.limits]
fuel_batch_max = 10
[sinks.count]
kind = "count"
input = "s"
[sinks.file]
kind = "file"
path = "out/late.parquet"
[delivery]
commit_ms = 1000
[dead_letters]
path = "out/dead.jsonl"
"#;

const QUERY_PIECES: &[&str] = &[
    "[",
    "]]",
    "=",
    "\"",
    "'''",
    "\n",
    "\\",
    "# ",
    "[[stages]]\n",
    "[sources.x]\n",
    "kind = \"file\"\n",
    "inf",
    "-1",
    "1979-05-27",
    "0x",
    "{ a = 1 }",
    "../",
    "é",
    "\u{0}",
    "schema = []\n",
];

const LETTERS: &str = include_str!("../../../../fuzz/decoders/seeds/letters/letters.jsonl");

const LETTER_PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "null",
    "{}",
    "[",
    "=",
    "-1",
    "3",
    "1e999",
    "\\u0000",
    "\\ud800",
    "é",
    "\"value\":\"omitted\"",
    "\"bytes\":\"",
    "\"record\":",
    "\"version\":2,",
    "\"key_hex\":\"0\",",
];

const STATE: &str = include_str!("../../../../fuzz/decoders/seeds/kept_state/manifest.json");

const STATE_PIECES: &[&str] = &[
    "null",
    "-1",
    "9223372036854775807",
    "18446744073709551616",
    "1e999",
    "{}",
    "[]",
    "\"\"",
    ",",
    "\\u0000",
    "../",
    "é",
    "\"next\":-2",
    "\"number\":2147483648",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn manifest(kind in prop::sample::select(&KINDS[..]), fallible: bool, edits in edits(MANIFEST_PIECES)) {
        let line = manifest_line(kind, fallible);
        fuzz_manifest(&edited(line.clone().into_bytes(), edits.clone()));
        fuzz_manifest(&edited(format!("{line}\n{}", line.replace("\"f\"", "\"g\"")).into_bytes(), edits));
    }

    #[test]
    fn manifest_of_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        fuzz_manifest(&bytes);
    }

    #[test]
    fn prescan(seed: u64, edits in edits(&["\0", "\u{1}", "\u{7f}", "memory", "weir_v1"])) {
        let module = host_module(&HostProgram::of(&Rng::of(seed, "prescan", 0).bytes(200)));
        fuzz_prescan(&edited(module, edits));
    }

    #[test]
    fn query_file(edits in edits(QUERY_PIECES)) {
        fuzz_query_file(&edited(QUERY.as_bytes().to_vec(), edits));
    }

    #[test]
    fn letters(edits in edits(LETTER_PIECES)) {
        fuzz_letters(&edited(LETTERS.as_bytes().to_vec(), edits));
    }

    #[test]
    fn letters_of_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        fuzz_letters(&bytes);
    }

    #[test]
    fn kept_state(edits in edits(STATE_PIECES)) {
        fuzz_kept_state(&edited(STATE.as_bytes().to_vec(), edits));
    }

    #[test]
    fn query_file_of_any_text(text in "(?s).{0,200}") {
        fuzz_query_file(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn host_functions(bytes in vec(any::<u8>(), 0..600)) {
        fuzz_host_functions(&bytes);
    }
}

#[test]
fn the_query_is_wrong_in_one_place_only() {
    // Or the twin would hardly get beyond the first mistake.
    let problems = weir_plan::Plan::parse(QUERY, std::path::Path::new("no-such-folder")).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["stages.late.module"], "{problems:?}");
}

#[test]
fn the_letters_and_the_state_are_read() {
    // Or their twins would hardly get beyond the first mistake.
    for entry in weir_state::LetterLines::new(LETTERS.as_bytes()) {
        entry.unwrap().letter.unwrap();
    }
    let state: weir_state::StateManifest = serde_json::from_str(STATE).unwrap();
    assert_eq!(state.positions("s").len(), 1);
}
