//! Manifests for modules that others made.

use weir_abi::MANIFEST_SECTION;

use crate::Rng;
use crate::sections::append_custom;

/// The fields of the batches that modules are called with: see [`crate::batches`].
const INPUT: &str = r#"[{"name":"n","type":"i64"},{"name":"s","type":"utf8","nullable":true},{"name":"f","type":"f64","nullable":true}]"#;
const OUTPUT: &str =
    r#"[{"name":"o","type":"i64","nullable":true},{"name":"t","type":"utf8"},{"name":"b","type":"bool"}]"#;
const METRICS: &str = r#"[{"name":"c","kind":"counter"},{"name":"g","kind":"gauge","labels":["l"]},{"name":"h","kind":"histogram","buckets":[0,1,10]}]"#;
const PARAMS: &str = r#"[{"name":"p","type":"i64","default":7},{"name":"q","type":"utf8","default":"text"},{"name":"r","type":"f64","default":0.5}]"#;

/// The kinds of function, as manifests name them.
pub const KINDS: [&str; 5] = ["filter", "map", "filter_map", "flat_map", "metrics"];

/// A line that declares the function `f` of this kind, with fields, params and metrics of several types.
pub fn manifest_line(kind: &str, fallible: bool) -> String {
    let (shape, output) = match kind {
        "metrics" => (r#""kind":"metrics""#.to_owned(), "[]"),
        "filter" => (r#""kind":"transform","output_shape":"filter""#.to_owned(), "[]"),
        shape => (format!(r#""kind":"transform","output_shape":"{shape}""#), OUTPUT),
    };
    format!(
        r#"{{"abi":1,"name":"f",{shape},"fallible":{fallible},"input":{INPUT},"output":{output},"params":{PARAMS},"metrics":{METRICS}}}"#
    )
}

/// The module with a manifest behind it that declares `f`: of a random kind where none is given.
pub fn with_manifest(module: &[u8], kind: Option<&str>, rng: &mut Rng) -> Vec<u8> {
    let kind = kind.unwrap_or_else(|| KINDS[rng.below(KINDS.len())]);
    append_custom(module, MANIFEST_SECTION, manifest_line(kind, rng.one_in(2)).as_bytes())
}
