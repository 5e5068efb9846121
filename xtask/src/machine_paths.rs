//! `cargo xtask machine-paths`: checks that no tracked file contains a path of the machine on which it was written.

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};

/// Folders in which people and build machines work. Split, so that this file does not contain them.
const FOLDERS: [&str; 5] = [
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
    concat!("/", "work/"),
    concat!("/", "farm/"),
];

/// Checks every tracked text file.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut folders: Vec<String> = FOLDERS.iter().map(|folder| (*folder).to_owned()).collect();
    let here = workspace.path("");
    folders.extend([Some(here.into_os_string()), std::env::var_os("HOME")].into_iter().flatten().filter_map(as_folder));

    let listed = shell::output(workspace.command("git").args(["ls-files", "-z"]))?;
    let names: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        bail!("git lists no tracked files");
    }
    let mut hits = Vec::new();
    for name in &names {
        let path = workspace.path(name);
        // A tracked file may be deleted, or a broken link.
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("could not read {name}"))?;
        if bytes.contains(&0) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        hits.extend(find(&text, &folders).map(|(line, text)| format!("{name}:{line}: {}", text.trim())));
    }
    if !hits.is_empty() {
        bail!("{} lines contain a path of a machine\n  {}", hits.len(), hits.join("\n  "));
    }
    println!("none of {} tracked files contains a path of a machine", names.len());
    Ok(())
}

/// A folder's path with a slash at the end; `None` for the root folder.
fn as_folder(path: std::ffi::OsString) -> Option<String> {
    let path = path.into_string().ok()?;
    let trimmed = path.trim_end_matches('/');
    (!trimmed.is_empty()).then(|| format!("{trimmed}/"))
}

/// The lines, counted from 1, with an absolute path into one of the folders.
fn find<'a>(text: &'a str, folders: &'a [String]) -> impl Iterator<Item = (usize, &'a str)> {
    let names = |line: &str| {
        folders.iter().any(|folder| {
            line.match_indices(folder.as_str()).any(|(at, _)| {
                // In the middle of a longer path or a URL, it is another folder with the same name.
                !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~$}>*".contains(before))
            })
        })
    };
    text.lines().enumerate().filter(move |(_, line)| names(line)).map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found_and_others_are_not() {
        let folders = vec!["/srv/".to_owned()];
        let lines = |text| find(text, &folders).map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines("/srv/a\nx\npath = \"/srv/b\"\nfile:///srv/c\n(/srv/d)"), [1, 3, 4, 5]);
        assert_eq!(lines("target/srv/a\nhttps://example.org/srv/a\n../srv/\n$HOME/srv/\n/srv\n/srvx/"), [0; 0]);
    }

    #[test]
    fn the_root_of_everything_is_no_folder_of_a_machine() {
        assert_eq!(as_folder("/".into()), None);
        assert_eq!(as_folder("/a/b/".into()), Some("/a/b/".to_owned()));
        assert_eq!(as_folder("/a/b".into()), Some("/a/b/".to_owned()));
    }
}
