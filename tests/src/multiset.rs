//! What was expected against what came, where the order does not matter and the number of times does.

use std::collections::BTreeMap;
use std::fmt::Write;

/// How often each value occurs.
pub fn multiset<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value.as_ref().to_vec()).or_insert(0) += 1;
    }
    counts
}

/// What is missing and what is there too often, ten values of each at most; `None` where both are the same.
pub fn difference(expected: &BTreeMap<Vec<u8>, usize>, found: &BTreeMap<Vec<u8>, usize>) -> Option<String> {
    let mut said = String::new();
    list(&mut said, "missing", expected, found);
    list(&mut said, "too many", found, expected);
    (!said.is_empty()).then_some(said)
}

/// Compares two multisets.
///
/// # Panics
///
/// If they differ, with what [`difference`] says.
#[track_caller]
pub fn assert_same(expected: &BTreeMap<Vec<u8>, usize>, found: &BTreeMap<Vec<u8>, usize>) {
    if let Some(difference) = difference(expected, found) {
        panic!("{difference}");
    }
}

fn list(said: &mut String, what: &str, more: &BTreeMap<Vec<u8>, usize>, less: &BTreeMap<Vec<u8>, usize>) {
    const SHOWN: usize = 10;
    let times = |value| less.get(value).copied().unwrap_or(0);
    let surplus: Vec<(&Vec<u8>, usize, usize)> = more
        .iter()
        .map(|(value, count)| (value, *count, times(value)))
        .filter(|(_, count, other)| count > other)
        .collect();
    if surplus.is_empty() {
        return;
    }
    let records: usize = surplus.iter().map(|(_, count, other)| count - other).sum();
    writeln!(said, "{what}: {records} records, {} values", surplus.len()).expect("a string");
    for (value, count, other) in surplus.iter().take(SHOWN) {
        let value = String::from_utf8_lossy(value);
        let (expected, found) = if what == "missing" { (count, other) } else { (other, count) };
        writeln!(said, "  {value:?}: expected {expected}, found {found}").expect("a string");
    }
    if surplus.len() > SHOWN {
        writeln!(said, "  and {} more", surplus.len() - SHOWN).expect("a string");
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_is_missing_and_what_is_doubled_is_named() {
        let expected = multiset((0..20).map(|number| format!("v{number:02}")));
        assert_eq!(difference(&expected, &expected), None);
        let found = multiset((9..20).chain([19, 19, 21]).map(|number| format!("v{number:02}")));
        expect![[r#"
            missing: 9 records, 9 values
              "v00": expected 1, found 0
              "v01": expected 1, found 0
              "v02": expected 1, found 0
              "v03": expected 1, found 0
              "v04": expected 1, found 0
              "v05": expected 1, found 0
              "v06": expected 1, found 0
              "v07": expected 1, found 0
              "v08": expected 1, found 0
            too many: 3 records, 2 values
              "v19": expected 1, found 3
              "v21": expected 0, found 1
        "#]]
        .assert_eq(&difference(&expected, &found).expect("a difference"));
        let none = multiset::<&str>([]);
        assert!(difference(&expected, &none).expect("a difference").ends_with("  and 10 more\n"));
    }
}
