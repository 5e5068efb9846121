//! No library has tests that nothing runs.

use anyhow::{Context, Result};

use crate::shell::Workspace;
use crate::sources::Package;

/// What is wrong: each library that turns its tests off and has some.
pub(crate) fn broken(workspace: &Workspace, packages: &[Package]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for package in packages {
        let Some((folder, _)) = package.texts.keys().find_map(|file| file.split_once("/src/")) else { continue };
        let path = workspace.path(&format!("{folder}/Cargo.toml"));
        let manifest = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        if is_off(&manifest)
            && let Some((file, _)) = package.texts.iter().find(|(_, text)| has_tests(text))
        {
            broken.push(format!(
                "{folder}/Cargo.toml: `[lib]` has `test = false`, so the tests in {file} are never run; remove that line"
            ));
        }
    }
    Ok(broken)
}

/// Whether a manifest turns off the unit tests of its library.
fn is_off(manifest: &str) -> bool {
    let section = manifest.split("\n[").find(|section| section.trim_start_matches('[').starts_with("lib]"));
    section.is_some_and(|section| section.lines().any(|line| line.replace(' ', "") == "test=false"))
}

/// Whether a file has unit tests.
fn has_tests(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_counts() {
        assert!(is_off("[package]\nname = \"a\"\n\n[lib]\nname = \"b\"\ntest = false\n\n[dependencies]\n"));
        assert!(!is_off("[package]\nname = \"a\"\n\n[lib]\n\n[[bin]]\ntest = false\n"));
        assert!(!is_off("[package]\nname = \"a\"\n"));
    }

    #[test]
    fn tests_of_every_kind_count() {
        assert!(has_tests("mod tests {\n    #[test]\n    fn a() {}\n}"));
        assert!(has_tests("    #[tokio::test(flavor = \"multi_thread\")]\n    async fn a() {}"));
        assert!(!has_tests("/// Use `#[test]`.\nfn a() {}"));
    }
}
