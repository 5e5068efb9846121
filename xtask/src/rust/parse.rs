//! One file's text read as a module: its items, its imports and the paths in its code.

use std::collections::BTreeMap;

use super::tokens::{Token, tokens};

/// What is read of a module, inline ones inside it included.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// Names of functions, types, constants and macros that it defines.
    pub(crate) items: Vec<String>,
    /// Macros among them, which other files may call by their bare name.
    pub(crate) macros: Vec<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths in its code, each with the line where it was seen first.
    pub(crate) paths: BTreeMap<Vec<String>, usize>,
    /// Macros that it calls by their bare name, likewise.
    pub(crate) calls: BTreeMap<String, usize>,
    pub(crate) children: Vec<Child>,
    /// Lines of the items that only tests compile.
    test_lines: usize,
}

/// A leaf of a `use` item.
#[derive(Debug)]
pub(crate) struct Import {
    /// The name it has here; `*` for all names of a module.
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// Whether others can name the item by this module.
    pub(crate) handed_on: bool,
}

/// A `mod` item.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    /// The text of its attribute `path`.
    pub(crate) path: Option<String>,
    /// What is between its braces; `None` for a file of its own.
    pub(crate) inline: Option<Body>,
    /// Whether only tests compile it.
    pub(crate) test: bool,
}

/// Reads a file. Of a file that only tests compile (`#![cfg(test)]`) nothing is left.
pub(crate) fn parse(text: &str) -> Body {
    let all = tokens(text);
    let mut body = Body::default();
    Reader { tokens: &all, at: 0 }.module(&mut body, all.len());
    body
}

/// How many lines of a file hold what only tests compile.
pub(crate) fn test_lines(text: &str) -> usize {
    fn sum(body: &Body) -> usize {
        let inside = body.children.iter().filter_map(|child| child.inline.as_ref());
        body.test_lines + inside.map(sum).sum::<usize>()
    }
    sum(&parse(text))
}

struct Reader<'a, 'b> {
    tokens: &'b [Token<'a>],
    at: usize,
}

/// What the attributes before an item say.
#[derive(Default)]
struct Attributes {
    test: bool,
    path: Option<String>,
}

impl<'a> Reader<'a, '_> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn line(&self, at: usize) -> usize {
        self.tokens.get(at).or(self.tokens.last()).map_or(1, |token| token.line)
    }

    fn is_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(Token::is_word)
    }

    /// Reads items up to `end`.
    fn module(&mut self, body: &mut Body, end: usize) {
        while self.at < end {
            let start = self.at;
            if self.text(self.at) == "#" && self.text(self.at + 1) == "!" {
                if self.attributes().test {
                    *body = Body { test_lines: self.line(end - 1), ..Body::default() };
                    self.at = end;
                }
                continue;
            }
            let attributes = self.attributes();
            let handed_on = self.visibility();
            if attributes.test && self.text(self.at) != "mod" {
                self.skip_item(end);
                body.test_lines += self.line(self.at - 1) - self.line(start) + 1;
                continue;
            }
            match self.text(self.at) {
                "use" => self.import(handed_on, &mut body.imports),
                "mod" if self.is_word(self.at + 1) => {
                    let child = self.child(attributes, end);
                    if child.test && child.inline.is_some() {
                        body.test_lines += self.line(self.at - 1) - self.line(start) + 1;
                    }
                    body.children.push(child);
                }
                "macro_rules" => {
                    let name = self.text(self.at + 2).to_owned();
                    body.macros.push(name.clone());
                    body.items.push(name);
                    self.item(body, end);
                }
                _ => {
                    if let Some(name) = self.item_name(end) {
                        body.items.push(name);
                    }
                    self.item(body, end);
                }
            }
        }
    }

    /// Passes attributes, those of a whole module included.
    fn attributes(&mut self) -> Attributes {
        let mut found = Attributes::default();
        while self.text(self.at) == "#" {
            self.at += 1 + usize::from(self.text(self.at + 1) == "!");
            let end = self.group_end(self.at);
            let words: Vec<&str> = (self.at + 1..end.saturating_sub(1)).map(|at| self.text(at)).collect();
            match words.as_slice() {
                ["test"] | ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ",", ..] => found.test = true,
                ["path", "=", path] => found.path = Some(path.trim_matches('"').to_owned()),
                _ => {}
            }
            self.at = end;
        }
        found
    }

    fn visibility(&mut self) -> bool {
        let public = self.text(self.at) == "pub";
        if public {
            self.at += 1;
            if self.text(self.at) == "(" {
                self.at = self.group_end(self.at);
            }
        }
        public
    }

    /// The token behind the bracket that closes the one at `at`.
    fn group_end(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        for (index, token) in self.tokens.iter().enumerate().skip(at) {
            match token.text {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return index + 1;
            }
        }
        self.tokens.len()
    }

    /// The name that the item here defines: of `unsafe extern "C" fn f` it is `f`. An `impl` and a macro's call have none.
    fn item_name(&self, end: usize) -> Option<String> {
        for at in self.at..end {
            match self.text(at) {
                "const" if matches!(self.text(at + 1), "fn" | "unsafe" | "async" | "extern") => {}
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" => {
                    return Some(self.text(at + 1).to_owned());
                }
                "static" => return Some(self.text(at + 1 + usize::from(self.text(at + 1) == "mut")).to_owned()),
                "unsafe" | "async" | "extern" | "auto" | "default" | "safe" => {}
                text if text.starts_with('"') => {}
                _ => return None,
            }
        }
        None
    }

    /// The token behind the item here.
    fn item_end(&self, end: usize) -> usize {
        let of_value = matches!(self.text(self.at), "static" | "type" | "use")
            || self.text(self.at) == "const" && self.text(self.at + 2) == ":";
        let mut at = self.at;
        while at < end {
            match self.text(at) {
                ";" => return at + 1,
                "{" if !of_value => return self.group_end(at),
                "(" | "[" | "{" => at = self.group_end(at),
                _ => at += 1,
            }
        }
        end
    }

    fn skip_item(&mut self, end: usize) {
        self.at = self.item_end(end).max(self.at + 1);
    }

    /// Reads the paths of an item.
    fn item(&mut self, body: &mut Body, end: usize) {
        let end = self.item_end(end).max(self.at + 1);
        self.code(body, end);
    }

    fn code(&mut self, body: &mut Body, end: usize) {
        while self.at < end {
            match self.text(self.at) {
                "#" if self.text(self.at + 1) == "[" => {
                    let start = self.at;
                    if self.attributes().test {
                        self.skip_part(end);
                        body.test_lines += self.line(self.at - 1) - self.line(start) + 1;
                    } else {
                        // Derives and other attributes may name items.
                        let behind = std::mem::replace(&mut self.at, start + 1);
                        self.code(body, behind);
                    }
                }
                "use" => self.import(false, &mut body.imports),
                // A field or a method.
                "." => self.at += 1 + usize::from(self.is_word(self.at + 1)),
                _ if self.is_word(self.at) => self.path(body),
                "::" => {
                    // Of another crate, or behind a type in angle brackets.
                    self.at += 1;
                    while self.is_word(self.at) {
                        self.at += 1 + usize::from(self.text(self.at + 1) == "::");
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Passes what an attribute inside an item is about: a method, a field, a statement, an arm.
    fn skip_part(&mut self, end: usize) {
        while self.at < end {
            match self.text(self.at) {
                ";" | "," => {
                    self.at += 1;
                    return;
                }
                "{" => {
                    self.at = self.group_end(self.at);
                    return;
                }
                "}" => return,
                "(" | "[" => self.at = self.group_end(self.at),
                _ => self.at += 1,
            }
        }
    }

    fn path(&mut self, body: &mut Body) {
        let line = self.line(self.at);
        let mut path = vec![self.text(self.at).to_owned()];
        self.at += 1;
        while self.text(self.at) == "::" && self.is_word(self.at + 1) {
            path.push(self.text(self.at + 1).to_owned());
            self.at += 2;
        }
        if path.len() == 1 && self.text(self.at) == "!" && matches!(self.text(self.at + 1), "(" | "[" | "{") {
            body.calls.entry(path[0].clone()).or_insert(line);
        }
        body.paths.entry(path).or_insert(line);
    }

    fn child(&mut self, attributes: Attributes, end: usize) -> Child {
        let name = self.text(self.at + 1).to_owned();
        self.at += 2;
        let inline = (self.text(self.at) == "{").then(|| {
            let close = self.group_end(self.at).min(end);
            let mut body = Body::default();
            self.at += 1;
            if !attributes.test {
                self.module(&mut body, close - 1);
            }
            self.at = close;
            body
        });
        if inline.is_none() {
            self.at += 1;
        }
        Child { name, path: attributes.path, inline, test: attributes.test }
    }

    /// Reads `use …;`.
    fn import(&mut self, handed_on: bool, imports: &mut Vec<Import>) {
        self.at += 1;
        self.leaves(&[], handed_on, imports);
        if self.text(self.at) == ";" {
            self.at += 1;
        }
    }

    fn leaves(&mut self, prefix: &[String], handed_on: bool, imports: &mut Vec<Import>) {
        let mut path = prefix.to_vec();
        if self.text(self.at) == "::" {
            path.push("::".to_owned());
            self.at += 1;
        }
        loop {
            let line = self.line(self.at);
            match self.text(self.at) {
                "{" => {
                    let close = self.group_end(self.at);
                    self.at += 1;
                    while self.at + 1 < close {
                        self.leaves(&path, handed_on, imports);
                        self.at += usize::from(self.text(self.at) == ",");
                    }
                    self.at = close;
                    return;
                }
                "*" => {
                    self.at += 1;
                    imports.push(Import { name: "*".to_owned(), path, line, handed_on });
                    return;
                }
                "self" if !path.is_empty() => self.at += 1,
                text => {
                    path.push(text.to_owned());
                    self.at += 1;
                }
            }
            if self.text(self.at) == "::" {
                self.at += 1;
                continue;
            }
            let mut name = path.last().cloned().unwrap_or_default();
            if self.text(self.at) == "as" {
                name = self.text(self.at + 1).to_owned();
                self.at += 2;
            }
            imports.push(Import { name, path, line, handed_on });
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let body = parse(text);
        let mut shown = format!("items {}\n", body.items.join(" "));
        for it in &body.imports {
            let handed_on = if it.handed_on { "pub " } else { "" };
            shown.push_str(&format!("{}: {handed_on}use {} as {}\n", it.line, it.path.join("::"), it.name));
        }
        for (path, line) in body.paths.iter().filter(|(path, _)| path.len() > 1) {
            shown.push_str(&format!("{line}: {}\n", path.join("::")));
        }
        for child in &body.children {
            let kind = if child.inline.is_some() { "{}" } else { ";" };
            shown.push_str(&format!("mod {}{kind}{}\n", child.name, if child.test { " of tests" } else { "" }));
        }
        expected.assert_eq(&format!("{shown}{} lines of tests\n", test_lines(text)));
    }

    #[test]
    fn items_of_every_kind_have_names() {
        check(
            "pub(crate) const A: [u8; 2] = [b'{', 1]; pub const fn b() -> [u8; 1] { [0] } unsafe extern \"C\" fn c() {}\n\
             struct D(u8); pub struct E<T> where T: Copy { it: T } enum F { A } trait G { fn not_this(); } type H = u8;\n\
             static mut I: u8 = { 1 }; impl E<u8> { fn not_this_either() {} } call! { fn nor_this() {} } macro_rules! j { () => {} }\n\
             pub async fn k() {} union L { a: u8 }",
            expect![[r#"
                items A b c D E F G H I j k L
                0 lines of tests
            "#]],
        );
    }

    #[test]
    fn imports_are_leaves() {
        check(
            "use crate::{a::{self, B as C}, d::*};\npub(super) use self::e::F;\nuse ::std::fmt;\nfn f() { use super::g; }\nuse h::Tr as _;",
            expect![[r#"
                items f
                1: use crate::a as a
                1: use crate::a::B as C
                1: use crate::d as *
                2: pub use self::e::F as F
                3: use ::::std::fmt as fmt
                4: use super::g as g
                5: use h::Tr as _
                0 lines of tests
            "#]],
        );
    }

    #[test]
    fn paths_are_found_in_code_macros_and_attributes() {
        check(
            "#[serde(with = crate::z::Q)]\nfn f(a: super::A) -> Vec::<crate::b::B> {\n  self.c::<x::D>(y.e); m!(crate::g::h(i::j)); <K as l::M>::n::o()\n}",
            expect![[r#"
                items f
                2: crate::b::B
                3: crate::g::h
                3: i::j
                3: l::M
                2: super::A
                3: x::D
                0 lines of tests
            "#]],
        );
    }

    #[test]
    fn what_only_tests_compile_is_left_out() {
        check(
            "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(all(test, unix))]\nfn f() { crate::x::y() }\n\
             struct S { #[cfg(test)] seen: crate::t::T, kept: crate::k::K }\n\
             impl S {\n  #[cfg(test)]\n  fn g() { crate::x::z() }\n  fn h() { crate::k::l() }\n}\n\
             #[cfg(not(test))]\nfn i() { crate::m::n() }\n#[cfg(test)]\nmod more {\n  use super::*;\n}\n",
            expect![[r#"
                items S i
                6: crate::k::K
                10: crate::k::l
                13: crate::m::n
                mod a;
                mod tests; of tests
                mod more{} of tests
                9 lines of tests
            "#]],
        );
        assert_eq!(test_lines("#![cfg(test)]\nuse a::b;\nfn f() {}\n"), 3);
    }
}
