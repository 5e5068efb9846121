//! The source files of the workspace's packages.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{self, Workspace};

/// One package and its Rust files.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The files in its folder `src`, by their paths in the workspace.
    pub(crate) texts: BTreeMap<String, String>,
}

impl Package {
    /// Reads every package of the workspace.
    pub(crate) fn all(workspace: &Workspace) -> Result<Vec<Self>> {
        let mut cargo = workspace.cargo();
        let tree = cargo.args(["tree", "--locked", "--workspace", "--depth", "0", "--prefix", "none"]);
        let mut packages = Vec::new();
        for line in shell::output(tree)?.lines().filter(|line| !line.is_empty()) {
            // `name v1.2.3 (/folder)`, with `(proc-macro)` between where it is one.
            let parts = line.split_once(' ').zip(line.rsplit_once('('));
            let parts = parts.map(|((name, _), (_, folder))| (name, folder.trim_end_matches(')')));
            let (name, folder) = parts.with_context(|| format!("unexpected line of cargo tree: `{line}`"))?;
            let within = Path::new(folder).strip_prefix(workspace.path(""))?;
            let mut texts = BTreeMap::new();
            read(workspace, &within.join("src").to_string_lossy(), &mut texts)?;
            packages.push(Self { name: name.to_owned(), texts });
        }
        Ok(packages)
    }

    /// The root files of its crates: library, program, further programs.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        let is_root = |name: &&str| {
            name.ends_with("src/lib.rs")
                || name.ends_with("src/main.rs")
                || name.rsplit_once('/').is_some_and(|(folder, _)| folder.ends_with("src/bin"))
        };
        self.texts.keys().map(String::as_str).filter(is_root)
    }
}

/// Adds the Rust files of a folder and those below it.
fn read(workspace: &Workspace, folder: &str, texts: &mut BTreeMap<String, String>) -> Result<()> {
    let path = workspace.path(folder);
    for entry in std::fs::read_dir(&path).with_context(|| format!("could not list {}", path.display()))? {
        let entry = entry?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(workspace, &name, texts)?;
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(entry.path()).with_context(|| format!("could not read {name}"))?;
            texts.insert(name, text);
        }
    }
    Ok(())
}
