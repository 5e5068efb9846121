//! Checks that no lookup in the run loop fails silently.
//!
//! Ignoring the `None` of `vec.get(index)` has lost records before: a typed id always finds its node, and everything else must be
//! an error. So `.get(`, `.get_mut(` and `.nth(` are allowed in `runtime/query/src/run` only if a miss has a meaning, which is
//! listed here.

use anyhow::{Context, Result};

use crate::shell::Workspace;

/// The folder of the run loop.
const FOLDER: &str = "runtime/query/src/run";

/// Methods that may find nothing.
const LOOKUPS: [&str; 3] = [".get(", ".get_mut(", ".nth("];

/// A lookup that may find nothing, as text of its line, and what that means.
struct Allowed {
    file: &'static str,
    lookup: &'static str,
    reason: &'static str,
}

const ALLOWED: [Allowed; 16] = [
    Allowed {
        file: "bytes.rs",
        lookup: "offsets.get(first), offsets.get(end)",
        reason: "an array without rows has no offsets",
    },
    Allowed { file: "extent.rs", lookup: "began.get(partition)", reason: "the partition has not begun" },
    Allowed {
        file: "extent.rs",
        lookup: "rows.get(index)",
        reason: "a kept position may name a file that the query no longer reads",
    },
    Allowed { file: "extent.rs", lookup: "ends.get(partition)", reason: "its end is not known yet" },
    Allowed { file: "extent.rs", lookup: "read.get(partition)", reason: "nothing was read of it yet" },
    Allowed { file: "guest_log.rs", lookup: "module.get(..DIGEST_DIGITS)", reason: "a shorter digest is shown whole" },
    Allowed {
        file: "intake.rs",
        lookup: "next.get(&partition)",
        reason: "no row of the partition comes behind the piece",
    },
    Allowed {
        file: "intake.rs",
        lookup: "column.values().get(row)",
        reason: "a source may not know where a bad record was",
    },
    Allowed {
        file: "intake.rs",
        lookup: "system.partition.as_ref()?.values().get(row)",
        reason: "a batch without positions is not cut",
    },
    Allowed {
        file: "intake.rs",
        lookup: "system.offset.as_ref()?.values().get(row)",
        reason: "a batch without positions is not cut",
    },
    Allowed { file: "metrics.rs", lookup: "overflow.get(&(index, number))", reason: "nothing has overflowed" },
    Allowed {
        file: "modules.rs",
        lookup: "lines.get(tenant)",
        reason: "nobody of the tenant waits: a new line is made",
    },
    Allowed {
        file: "place.rs",
        lookup: ".get(partition)",
        reason: "the partition was not read, committed, or its end not told yet",
    },
    Allowed {
        file: "running_source.rs",
        lookup: "column.values().get(row)",
        reason: "a source may not know where a bad record was",
    },
    Allowed {
        file: "turn.rs",
        lookup: "system.partition.as_ref()?.values().get(row)",
        reason: "a record without a partition has no place to compare",
    },
    Allowed {
        file: "turn.rs",
        lookup: "system.offset.as_ref()?.values().get(row)",
        reason: "a record without an offset has no place to compare",
    },
];

/// The violations, one line each: lookups without a reason, and reasons for lookups that no longer exist.
pub(crate) fn broken(workspace: &Workspace) -> Result<Vec<String>> {
    let root = workspace.path(FOLDER);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
                files.push((name, std::fs::read_to_string(&path)?));
            }
        }
    }
    files.sort();
    Ok(check(&files, &ALLOWED))
}

fn check(files: &[(String, String)], allowed: &[Allowed]) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, text) in files {
        // Tests may use any lookups.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
        for (number, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            // Methods without arguments, of counters and map entries.
            let mut rest = line.replace(".get()", "").replace(".get_mut()", "");
            for it in allowed.iter().filter(|it| it.file == name) {
                rest = rest.replace(it.lookup, "");
            }
            if !comment && LOOKUPS.iter().any(|lookup| rest.contains(lookup)) {
                broken.push(format!(
                    "{FOLDER}/{name}:{}: a lookup that may miss in silence: `{}`; use a typed id (`Nodes`), return an error, or \
                     say in xtask/src/quiet.rs what the miss means",
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    for it in allowed {
        let stands = files.iter().any(|(name, text)| name == it.file && text.contains(it.lookup));
        if !stands {
            broken.push(format!(
                "{}/{} has no `{}` ({}): remove it from xtask/src/quiet.rs",
                FOLDER, it.file, it.lookup, it.reason
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_without_a_reason_is_found_and_a_reason_without_a_lookup_too() {
        let file = |text: &str| vec![("chain.rs".to_owned(), text.to_owned())];
        let allowed = [Allowed { file: "chain.rs", lookup: "ends.get(partition)", reason: "not known yet" }];
        let known = "let end = ends.get(partition)?;\ncounters.records.get()\n// vec.get(i) in words\n#[cfg(test)]\nmod tests { v.get(1) }";
        assert_eq!(check(&file(known), &allowed), Vec::<String>::new());
        for quiet in ["self.sinks.get(index)", "ends.get(partition) && sinks.get_mut(index)", "all.iter().nth(3)"] {
            let found = check(&file(&format!("let end = ends.get(partition)?;\n{quiet}")), &allowed);
            assert!(found.len() == 1 && found[0].contains("chain.rs:2: "), "{quiet}: {found:?}");
        }
        let found = check(&file(""), &allowed);
        assert!(found.len() == 1 && found[0].contains("not known yet"), "{found:?}");
    }
}
