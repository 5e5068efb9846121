//! The modules of one crate, and which file takes what from which other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use super::parse::{Body, Import, parse};

/// How often one name may lead to another before it is given up: `use` items can name each other in a loop.
const STEPS_MAX: usize = 32;

/// A crate's modules, without those of tests.
#[derive(Debug)]
pub(crate) struct Crate {
    files: Vec<String>,
    modules: Vec<Module>,
    /// Whether of two `mod` items of one name (for two platforms, or features) the last one counts, or the first.
    last: bool,
}

#[derive(Debug)]
struct Module {
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, Vec<usize>>,
    items: BTreeSet<String>,
    macros: BTreeSet<String>,
    imports: Vec<Import>,
    paths: BTreeMap<Vec<String>, usize>,
    calls: BTreeMap<String, usize>,
}

/// The files of a crate and the arrows between them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Names of files.
    pub(crate) files: Vec<String>,
    /// For each file the one that declares it with `mod`; of a crate's root none.
    pub(crate) parents: Vec<Option<usize>>,
    /// By file that takes and file that is taken from: the first line that does so, and the name there.
    pub(crate) arrows: BTreeMap<(usize, usize), (usize, String)>,
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Module(usize),
    /// An item of this module's file.
    Item(usize),
}

impl Crate {
    /// Reads the crate whose root is the file `root`. `texts` holds files by their paths.
    pub(crate) fn read(texts: &BTreeMap<String, String>, root: &str) -> Result<Self> {
        let mut made = Self { files: Vec::new(), modules: Vec::new(), last: false };
        let folder = root.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        made.file(texts, root, &folder, None)?;
        Ok(made)
    }

    /// Adds a file and all below it. Its children are looked for in `folder`.
    fn file(
        &mut self,
        texts: &BTreeMap<String, String>,
        name: &str,
        folder: &str,
        parent: Option<usize>,
    ) -> Result<usize> {
        let text = texts.get(name).with_context(|| format!("no such file: {name}"))?;
        self.files.push(name.to_owned());
        self.module(texts, self.files.len() - 1, folder, parse(text), parent)
    }

    fn module(
        &mut self,
        texts: &BTreeMap<String, String>,
        file: usize,
        folder: &str,
        body: Body,
        parent: Option<usize>,
    ) -> Result<usize> {
        let Body { items, macros, imports, paths, calls, children, .. } = body;
        let (items, macros) = (items.into_iter().collect(), macros.into_iter().collect());
        let number = self.modules.len();
        self.modules.push(Module { file, parent, children: BTreeMap::new(), items, macros, imports, paths, calls });
        for child in children.into_iter().filter(|child| !child.test) {
            let below = format!("{folder}{}/", child.name);
            let made = if let Some(body) = child.inline {
                self.module(texts, file, &below, body, Some(number))?
            } else if let Some(path) = child.path {
                if path.starts_with("../") {
                    // Another package's.
                    continue;
                }
                let beside = self.files[file].rsplit_once('/').map_or("", |(folder, _)| folder);
                let path = format!("{beside}/{path}");
                self.file(texts, path.trim_start_matches('/'), &below, Some(number))?
            } else {
                let places = [format!("{folder}{}.rs", child.name), format!("{below}mod.rs")];
                let Some(place) = places.iter().find(|place| texts.contains_key(*place)) else {
                    bail!(
                        "{}: the file of the module {} is missing: neither {}",
                        self.files[file],
                        child.name,
                        places.join(" nor ")
                    );
                };
                self.file(texts, place, &below, Some(number))?
            };
            self.modules[number].children.entry(child.name).or_default().push(made);
        }
        Ok(number)
    }

    /// Which file takes what from which.
    pub(crate) fn found(mut self) -> Found {
        let mut arrows = BTreeMap::new();
        for last in [false, true] {
            self.last = last;
            for number in 0..self.modules.len() {
                self.arrows(number, &mut arrows);
            }
        }
        let parents = (0..self.files.len()).map(|file| self.parent(file)).collect();
        Found { files: self.files, parents, arrows }
    }

    /// Adds what one module takes from others.
    fn arrows(&self, number: usize, arrows: &mut BTreeMap<(usize, usize), (usize, String)>) {
        let module = &self.modules[number];
        let mut arrow = |named: Option<Named>, line: usize, path: &[String]| {
            let Some(Named::Item(of)) = named else { return };
            let (from, to) = (module.file, self.modules[of].file);
            if from != to {
                let shown = (line, path.join("::"));
                let first = arrows.entry((from, to)).or_insert_with(|| shown.clone());
                if shown < *first {
                    *first = shown;
                }
            }
        };
        // What is only handed on to others is not used here: the paths say whether it is.
        for import in module.imports.iter().filter(|it| !it.handed_on && it.name != "*") {
            arrow(self.path(number, &import.path, STEPS_MAX), import.line, &import.path);
        }
        for (path, &line) in &module.paths {
            arrow(self.path(number, path, STEPS_MAX), line, path);
        }
        for (name, &line) in module.calls.iter().filter(|(name, _)| self.name(number, name, STEPS_MAX).is_none()) {
            arrow(self.macro_in_scope(number, name), line, std::slice::from_ref(name));
        }
    }

    /// The file that declares this one.
    fn parent(&self, file: usize) -> Option<usize> {
        let root = self.modules.iter().find(|module| module.file == file)?;
        Some(self.modules[root.parent?].file)
    }

    /// A macro of a file that a bare name calls: it is in scope behind its definition, in whatever file.
    fn macro_in_scope(&self, from: usize, name: &str) -> Option<Named> {
        let here = self.modules[from].file;
        let holds = |module: &Module| module.file != here && module.macros.contains(name);
        self.modules.iter().position(holds).map(Named::Item)
    }

    /// What a path names for the code of a module; nothing of this crate's is `None`.
    fn path(&self, from: usize, path: &[String], steps: usize) -> Option<Named> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Named::Module(0),
            "self" => Named::Module(from),
            "super" => Named::Module(self.modules[from].parent?),
            "::" => return None,
            name => self.name(from, name, steps)?,
        };
        rest.iter().try_fold(start, |at, name| match (at, name.as_str()) {
            // A method, a variant.
            (Named::Item(_), _) => Some(at),
            (Named::Module(module), "super") => self.modules[module].parent.map(Named::Module),
            (Named::Module(module), name) => match self.name(module, name, steps) {
                Some(named) => Some(named),
                // From another crate, or made by a macro.
                None if self.brings(module, name) => None,
                None => Some(Named::Item(module)),
            },
        })
    }

    /// What a name is in a module.
    fn name(&self, module: usize, name: &str, steps: usize) -> Option<Named> {
        let steps = steps.checked_sub(1)?;
        let it = &self.modules[module];
        if it.items.contains(name) {
            return Some(Named::Item(module));
        }
        if let Some(child) = it.children.get(name).and_then(|all| if self.last { all.last() } else { all.first() }) {
            return Some(Named::Module(*child));
        }
        let named = it.imports.iter().filter(|import| import.name == name);
        // `use futures::stream` in a module of that name would find itself.
        if let Some(found) = named.filter(|it| it.path != [name]).find_map(|it| self.path(module, &it.path, steps)) {
            return Some(found);
        }
        let globs = it.imports.iter().filter(|import| import.name == "*");
        globs.filter_map(|glob| self.path(module, &glob.path, steps)).find_map(|named| match named {
            Named::Module(other) if other != module => self.name(other, name, steps),
            _ => None,
        })
    }

    fn brings(&self, module: usize, name: &str) -> bool {
        self.modules[module].imports.iter().any(|import| import.name == name)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(files: &[(&str, &str)], expected: Expect) {
        let texts = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let shown = match Crate::read(&texts, files[0].0).map(Crate::found) {
            Err(error) => error.to_string(),
            Ok(found) => {
                let show = |((from, to), (line, name)): (&(usize, usize), &(usize, String))| {
                    format!("{}:{line} -> {} ({name})", found.files[*from], found.files[*to])
                };
                found.arrows.iter().map(show).collect::<Vec<_>>().join("\n")
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_name_of_the_front_page_leads_to_the_file_that_defines_it() {
        check(
            &[
                ("src/lib.rs", "mod a; mod b; mod c;\npub use a::A; pub use b::*;"),
                ("src/a.rs", "pub struct A; use crate::{B, Made};"),
                ("src/b.rs", "pub struct B; pub use crate::c::Made;"),
                ("src/c.rs", "call! { Made }"),
            ],
            expect![[r#"
                src/a.rs:1 -> src/b.rs (crate::B)
                src/a.rs:1 -> src/c.rs (crate::Made)"#]],
        );
    }

    #[test]
    fn a_module_is_no_arrow_and_what_is_named_in_it_is() {
        check(
            &[
                ("lib.rs", "mod a; mod b;\nfn f() { a::g() }"),
                ("a.rs", "use crate::b::{self, inner};\nfn h(it: b::inner::T) {}\npub fn g() { b::other() }"),
                ("b/mod.rs", "pub mod inner; pub use inner::other;"),
                ("b/inner.rs", "pub struct T; pub fn other() {}"),
            ],
            expect![[r#"
                lib.rs:2 -> a.rs (a::g)
                a.rs:2 -> b/inner.rs (b::inner::T)"#]],
        );
    }

    #[test]
    fn what_is_handed_on_counts_where_it_is_used_too() {
        check(
            &[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "pub(crate) use crate::c::{C, D};\nfn f(_: C) {}"),
                ("b.rs", "pub(crate) use crate::c::C;"),
                ("c.rs", "pub struct C; pub struct D;"),
            ],
            expect!["a.rs:2 -> c.rs (C)"],
        );
    }

    #[test]
    fn globs_macros_and_inline_modules_are_followed() {
        check(
            &[
                ("main.rs", "#[macro_use] mod a; mod b; mod c { pub mod d; use crate::b::B; }"),
                ("a.rs", "macro_rules! m { () => { $crate::b::B } }"),
                ("b.rs", "use super::c::d::*;\npub struct B; fn f() { m!(); D::new(); std::mem::take() }"),
                ("c/d.rs", "pub struct D; impl D { fn g() { super::super::b::h() } }"),
            ],
            expect![[r#"
                main.rs:1 -> b.rs (crate::b::B)
                a.rs:1 -> b.rs (crate::b::B)
                b.rs:2 -> a.rs (m)
                b.rs:2 -> c/d.rs (D::new)
                c/d.rs:1 -> b.rs (super::super::b::h)"#]],
        );
    }

    #[test]
    fn of_two_files_for_one_module_both_count() {
        check(
            &[
                (
                    "lib.rs",
                    "#[cfg(unix)] mod sys;\n#[cfg(not(unix))]\n#[path = \"other.rs\"]\nmod sys;\nfn f() { sys::g() }",
                ),
                ("sys.rs", "pub fn g() {}"),
                ("other.rs", "pub fn g() { crate::f() }"),
            ],
            expect![[r#"
                lib.rs:5 -> sys.rs (sys::g)
                lib.rs:5 -> other.rs (sys::g)
                other.rs:1 -> lib.rs (crate::f)"#]],
        );
    }

    #[test]
    fn tests_are_left_out_and_paths_of_files_followed() {
        check(
            &[
                ("src/lib.rs", "#[cfg(test)] mod tests; mod a;\n#[path = \"host.rs\"] mod b; use b::x;"),
                ("src/a.rs", "#[cfg(test)] mod tests { use crate::b::x; }"),
                ("src/host.rs", "pub fn x() {} use crate::a::loops;"),
            ],
            expect![[r#"
                src/lib.rs:2 -> src/host.rs (b::x)
                src/host.rs:1 -> src/a.rs (crate::a::loops)"#]],
        );
        check(
            &[("src/lib.rs", "mod a;")],
            expect!["src/lib.rs: the file of the module a is missing: neither src/a.rs nor src/a/mod.rs"],
        );
    }
}
