//! The functions of the ABI that a guest can import.

use std::fmt;

/// A function that a guest may import from `weir_v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// The name.
    pub name: &'static str,
    // One letter per parameter or result: `i` is i32, `I` is i64, `F` is f64.
    params: &'static str,
    result: &'static str,
}

const fn import(name: &'static str, params: &'static str, result: &'static str) -> Import {
    Import { name, params, result }
}

/// All functions that a guest can import, in the order of the ABI.
pub const IMPORTS: &[Import] = &[
    import("get_bool", "ii", "i"),
    import("get_i64", "ii", "I"),
    import("get_f64", "ii", "F"),
    import("get_bytes", "iiii", "i"),
    import("is_null", "ii", "i"),
    import("validity_word", "ii", "I"),
    import("window", "iiii", "i"),
    import("window_bytes", "iiiiii", "i"),
    import("window_validity", "iiii", "i"),
    import("emit_filter", "ii", "i"),
    import("emit_parents", "ii", "i"),
    import("emit_column", "iiii", "i"),
    import("emit_bytes", "iiiiii", "i"),
    import("row_error", "iiii", "i"),
    import("metric_series", "iii", "i"),
    import("metric_record", "iF", "i"),
    import("metric_record_many", "iii", "i"),
    import("metric_record_column", "iii", "i"),
    import("metric_record_input", "iiii", "i"),
    import("param_i64", "i", "I"),
    import("param_f64", "i", "F"),
    import("param_bytes", "iii", "i"),
    import("log", "iii", "i"),
    import("last_words", "ii", "i"),
];

/// The type in the notation of the ABI: `(i32, i32) -> i64`.
impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |letter| match letter {
            'i' => "i32",
            'I' => "i64",
            _ => "f64",
        };
        let list = |letters: &str| letters.chars().map(name).collect::<Vec<_>>().join(", ");
        write!(f, "({}) -> {}", list(self.params), list(self.result))
    }
}
