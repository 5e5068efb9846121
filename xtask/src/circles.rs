//! Checks that no files of a crate depend on each other in a circle.
//!
//! A file and the files that it declares with `mod` may depend on each other: a parent calls its children, and they use its items.
//! Other circles are refused: a reader of one file would have to read all of them, and none could be tested, moved or replaced by
//! itself.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::rust::{Crate, Found};
use crate::sources::Package;

/// The violations: each circle in the packages.
pub(crate) fn broken(packages: &[Package]) -> Result<Vec<String>> {
    let mut circles = Vec::new();
    for package in packages {
        for root in package.roots() {
            circles.extend(circles_of(&Crate::read(&package.texts, root)?.found()));
        }
    }
    Ok(circles.iter().map(Circle::message).collect())
}

/// Files that depend on each other.
#[derive(Debug)]
struct Circle {
    files: BTreeSet<String>,
    /// One line per dependency.
    arrows: Vec<String>,
}

/// The circles of one crate.
fn circles_of(found: &Found) -> Vec<Circle> {
    let all = (0..found.files.len()).collect();
    let mut circles: Vec<BTreeSet<usize>> = Vec::new();
    let mut rest = knots(found, &all);
    while let Some(mut knot) = rest.pop() {
        // A parent and its children may depend on each other. Without the parent, the rest must be free of circles too.
        match knot.iter().copied().find(|&file| knot.iter().all(|&other| is_within(found, other, file))) {
            Some(parent) => {
                knot.remove(&parent);
                rest.extend(knots(found, &knot));
            }
            None => circles.push(knot),
        }
    }
    let mut circles: Vec<Circle> = circles.iter().map(|knot| Circle::new(found, knot)).collect();
    circles.sort_by(|one, other| one.files.cmp(&other.files));
    circles
}

/// The groups of two or more files of `files` in which each file reaches all others.
fn knots(found: &Found, files: &BTreeSet<usize>) -> Vec<BTreeSet<usize>> {
    let reached = |from: usize| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            let next = found.arrows.range((file, 0)..=(file, usize::MAX)).map(|((_, to), _)| *to);
            open.extend(next.filter(|to| files.contains(to) && seen.insert(*to)));
        }
        seen
    };
    let reached: Vec<(usize, BTreeSet<usize>)> = files.iter().map(|&file| (file, reached(file))).collect();
    let mut knots = BTreeSet::new();
    for (file, reaches) in &reached {
        let back = reached.iter().filter(|(other, from)| reaches.contains(other) && from.contains(file));
        let knot: BTreeSet<usize> = back.map(|(other, _)| *other).collect();
        if knot.len() > 1 {
            knots.insert(knot);
        }
    }
    knots.into_iter().collect()
}

/// Whether a file is `ancestor`, or is declared below it.
fn is_within(found: &Found, file: usize, ancestor: usize) -> bool {
    std::iter::successors(Some(file), |&file| found.parents[file]).any(|file| file == ancestor)
}

impl Circle {
    fn new(found: &Found, knot: &BTreeSet<usize>) -> Self {
        let inside = found.arrows.iter().filter(|((from, to), _)| knot.contains(from) && knot.contains(to));
        let arrow = |((from, to), (line, name)): (&(usize, usize), &(usize, String))| {
            format!("{}:{line} uses `{name}` of {}", found.files[*from], found.files[*to])
        };
        Self {
            files: knot.iter().map(|&file| found.files[file].clone()).collect(),
            arrows: inside.map(arrow).collect(),
        }
    }

    fn message(&self) -> String {
        format!(
            "{} files depend on each other in a circle: move what several of them use to a file that depends on none of them, or pass it as \
             an argument\n    {}",
            self.files.len(),
            self.arrows.join("\n    ")
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<Circle> {
        let texts = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        circles_of(&Crate::read(&texts, files[0].0).unwrap().found())
    }

    fn check(files: &[(&str, &str)], expected: Expect) {
        let messages: Vec<String> = circles(files).iter().map(Circle::message).collect();
        expected.assert_eq(&messages.join("\n"));
    }

    #[test]
    fn parents_and_children_may_know_each_other() {
        check(
            &[
                ("lib.rs", "mod a; mod b; pub const MAX: u8 = 1; pub fn f() { a::run(); b::run() }"),
                ("a.rs", "mod c; mod d; pub fn run() { c::run(); d::run(crate::MAX) } pub struct A;"),
                ("a/c.rs", "use super::A; pub fn run() { super::d::run(2) }"),
                ("a/d.rs", "use super::A; pub fn run(_: u8) {}"),
                ("b.rs", "pub fn run() { crate::a::run(); crate::f() }"),
            ],
            expect![""],
        );
    }

    #[test]
    fn siblings_in_a_circle_are_named_with_their_lines() {
        check(
            &[
                ("lib.rs", "mod a; mod b; mod c; pub use b::B;"),
                ("a.rs", "\nuse crate::B; pub struct A;"),
                ("b.rs", "\n\nuse crate::c::C; pub struct B;"),
                ("c.rs", "pub struct C; impl C { fn f(_: super::a::A) {} }"),
            ],
            expect![[r#"
                3 files depend on each other in a circle: move what several of them use to a file that depends on none of them, or pass it as an argument
                    a.rs:2 uses `crate::B` of b.rs
                    b.rs:3 uses `crate::c::C` of c.rs
                    c.rs:1 uses `super::a::A` of a.rs"#]],
        );
    }

    #[test]
    fn a_circle_is_not_hidden_by_a_parent() {
        // Through the parent of one of them.
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod c; pub fn run() { c::run() }"),
            ("a/c.rs", "pub fn run() { crate::b::run() }"),
            ("b.rs", "pub fn run() { crate::a::run() }"),
        ];
        assert_eq!(circles(&files)[0].files.len(), 3);
        // Between children that need their parent, too.
        let files = [
            ("lib.rs", "mod a; mod b; pub struct S; fn f() { a::run() }"),
            ("a.rs", "pub fn run(_: crate::S) { crate::b::run() }"),
            ("b.rs", "pub fn run() { crate::a::run(crate::S) }"),
        ];
        assert_eq!(circles(&files)[0].arrows.len(), 2);
    }
}
