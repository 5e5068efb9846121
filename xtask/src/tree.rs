//! Parses the output of `cargo tree --prefix none`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};

/// One package in a dependency tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Whether it is a part of this repository.
    pub(crate) local: bool,
}

/// The packages of a tree, including its root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    packages: BTreeSet<Package>,
}

impl Tree {
    /// Gets a tree of normal dependencies: those that a user's build compiles, without tests and build scripts.
    pub(crate) fn of(workspace: &Workspace, selection: &[&str]) -> Result<Self> {
        let mut cargo = workspace.cargo();
        cargo.args(["tree", "--locked", "--edges", "normal", "--prefix", "none"]).args(selection);
        Self::parse(&shell::output(&mut cargo)?)
    }

    /// Parses lines `name v1.2.3 (proc-macro) (/path) (*)`; all but the first two words are optional.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let packages = lines
            .map(|line| parse_line(line).with_context(|| format!("unexpected line of cargo tree: `{line}`")))
            .collect::<Result<BTreeSet<_>>>()?;
        if packages.is_empty() {
            bail!("cargo tree printed no package");
        }
        Ok(Self { packages })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }

    pub(crate) fn local_names(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().filter(|package| package.local).map(|package| package.name.as_str())
    }
}

fn parse_line(line: &str) -> Result<Package> {
    let (name, rest) = line.split_once(' ').context("it has one word only")?;
    let version = rest.split(' ').next().unwrap_or_default();
    if !version.strip_prefix('v').is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit())) {
        bail!("the second word is not a version");
    }
    Ok(Package { name: name.to_owned(), local: rest.contains("(/") })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let shown = match Tree::parse(text) {
            Ok(tree) => {
                let show =
                    |package: &Package| format!("{}{}\n", package.name, if package.local { " here" } else { "" });
                tree.packages.iter().map(show).collect()
            }
            Err(error) => format!("{error:#}\n"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn lines_of_every_shape() {
        check(
            "weir-guest v0.1.0 (/src/guest-sdk)\nweir-guest-macros v0.1.0 (proc-macro) (/src/guest-sdk/macros)\n\nsyn v2.0.119\nserde_derive v1.0.0 (proc-macro)\nquote v1.0.47 (*)\nsyn v3.0.0\n",
            expect![[r#"
                quote
                serde_derive
                syn
                weir-guest here
                weir-guest-macros here
            "#]],
        );
    }

    #[test]
    fn what_is_not_a_tree_is_refused() {
        check("", expect![["cargo tree printed no package\n"]]);
        check(
            "warning: nothing\n",
            expect![["unexpected line of cargo tree: `warning: nothing`: the second word is not a version\n"]],
        );
        check("syn\n", expect![["unexpected line of cargo tree: `syn`: it has one word only\n"]]);
    }

    #[test]
    fn a_name_is_matched_whole() {
        let tree = Tree::parse("wasmtime-environ v48.0.8\n").unwrap();
        assert!(tree.contains("wasmtime-environ"));
        assert!(!tree.contains("wasmtime"));
    }
}
