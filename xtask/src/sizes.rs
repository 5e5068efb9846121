//! Checks that no crate is too large to understand.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::rust::{Crate, test_lines};
use crate::sources::Package;

/// The maximum number of lines of a crate's source, with comments and without tests.
const LINES_MAX: usize = 9_000;

/// The violations: each package that is too large.
pub(crate) fn broken(packages: &[Package]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for package in packages {
        let lines = lines(package)?;
        if lines > LINES_MAX {
            broken.push(format!(
                "{} has {lines} lines of source without tests (at most {LINES_MAX} are allowed): move a part that is useful by \
                 itself to a new crate",
                package.name
            ));
        }
    }
    Ok(broken)
}

/// The three largest packages with their lines.
pub(crate) fn largest(packages: &[Package]) -> Result<String> {
    let mut sizes = Vec::new();
    for package in packages {
        sizes.push((lines(package)?, package.name.as_str()));
    }
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let shown: Vec<String> = sizes.iter().take(3).map(|(lines, name)| format!("{name} {lines}")).collect();
    Ok(format!("{} (the largest, in lines without tests)", shown.join(", ")))
}

/// The number of lines in a package, without tests.
fn lines(package: &Package) -> Result<usize> {
    // Modules that only tests compile are not part of the result.
    let mut lines_by_file = BTreeMap::new();
    for root in package.roots() {
        for file in Crate::read(&package.texts, root)?.found().files {
            let text = &package.texts[&file];
            lines_by_file.insert(file, text.lines().count() - test_lines(text));
        }
    }
    Ok(lines_by_file.values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_not_counted() {
        let texts = [
            (
                "a/src/lib.rs",
                "mod b;\n#[cfg(test)]\nmod tests;\n\n#[cfg(test)]\nmod more {\n    use super::*;\n}\n".to_owned(),
            ),
            ("a/src/b.rs", "//! b\n".repeat(LINES_MAX - 2)),
            ("a/src/tests.rs", "fn f() {}\n".repeat(50)),
            ("a/src/main.rs", "mod b;\n".to_owned()),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text)).into();
        let mut package = Package { name: "a".to_owned(), texts };
        // Of lib.rs `mod b;`, the declaration of the tests and the empty line count.
        assert_eq!(lines(&package).unwrap(), LINES_MAX - 2 + 4 + 1);
        assert_eq!(broken(std::slice::from_ref(&package)).unwrap().len(), 1);
        package = Package { name: "a".to_owned(), texts: [("a/src/lib.rs".to_owned(), "\n".repeat(LINES_MAX))].into() };
        assert_eq!(broken(std::slice::from_ref(&package)).unwrap(), [""; 0]);
    }
}
