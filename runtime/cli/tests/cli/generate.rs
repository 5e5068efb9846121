//! `weir generate`: what a package contains beside the program.

use std::fs;

use crate::common::{root, run};

#[test]
fn completions_name_every_command_and_man_pages_exist_for_each() {
    let help = run(&root(), &["--help"]).out;
    let commands: Vec<&str> = help
        .split("Commands:\n")
        .nth(1)
        .expect("the commands")
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    assert_eq!(run(&root(), &["generate", "man", path]).code, Some(0));
    for command in &commands {
        let page = fs::read_to_string(folder.path().join(format!("weir-{command}.1"))).expect("a page");
        assert!(page.contains(".SH NAME"), "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&root(), &["generate", "completions", shell]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        for command in &commands {
            assert!(said.out.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let said = run(&root(), &["generate", "man", "no-such-folder"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("no-such-folder"), "{}", said.err);
}
