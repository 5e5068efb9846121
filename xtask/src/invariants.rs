//! `cargo xtask invariants`: dependencies between crates, lookups in the run loop, sizes of crates, circles of files, and public
//! types.
//!
//! Most rules forbid something, and a rule with a misspelt name would never be violated. So each rule also has positive parts: what
//! the crate must depend on; and every forbidden name must occur somewhere in the workspace's dependencies.

use anyhow::{Result, bail};

use crate::shell::Workspace;
use crate::sources::Package;
use crate::tree::Tree;
use crate::{circles, growth, idle_tests, named_tests, public, sizes};

/// The direct and indirect normal dependencies that a crate must and must not have.
struct Rule {
    package: &'static str,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
    reason: &'static str,
}

const RULES: [Rule; 24] = [
    Rule {
        package: "weir-text",
        has: &["strsim"],
        lacks: &["tokio", "arrow", "serde", "weir-batch", "weir-sandbox", "weir-sinks", "weir-plan", "weir-query"],
        reason: "everybody writes for people by it",
    },
    Rule {
        package: "weir-files",
        has: &["rustix"],
        lacks: &["tokio", "arrow", "weir-batch", "weir-sandbox", "weir-sinks", "weir-plan", "weir-query"],
        reason: "everybody opens files by it",
    },
    Rule {
        package: "weir-confine",
        has: &["landlock", "seccompiler", "rustix"],
        lacks: &[
            "tokio",
            "arrow",
            "parquet",
            "wasmtime",
            "rdkafka",
            "serde",
            "weir-files",
            "weir-batch",
            "weir-sandbox",
            "weir-query",
        ],
        reason: "what confines every process is in the supervisor's tree, and small enough to be read as a whole",
    },
    Rule {
        package: "weir-frame",
        has: &["bincode", "rustix", "weir-text"],
        lacks: &[
            "arrow",
            "parquet",
            "wasmtime",
            "rdkafka",
            "tokio",
            "serde",
            "weir-config",
            "weir-batch",
            "weir-admission",
            "weir-sandbox",
            "weir-plan",
            "weir-query",
        ],
        reason: "a supervisor reads frames of tenants' processes, and nothing else of theirs",
    },
    Rule {
        package: "weir-tenancy",
        has: &["weir-frame", "weir-text", "rustix"],
        lacks: &[
            "arrow",
            "parquet",
            "wasmtime",
            "rdkafka",
            "tokio",
            "serde",
            "toml",
            "weir-config",
            "weir-files",
            "weir-batch",
            "weir-admission",
            "weir-sandbox",
            "weir-plan",
            "weir-query",
        ],
        reason: "a supervisor parses nothing of a tenant's but frames",
    },
    Rule {
        package: "weir-worker",
        has: &["weir-confine", "weir-frame", "weir-plan", "weir-query"],
        lacks: &["weir-tenancy", "weir-admin", "weir-telemetry", "clap", "indicatif", "hyper", "opentelemetry_sdk"],
        reason: "a worker has what runs queries, and nothing that serves other people or starts processes",
    },
    Rule {
        package: "weir-batch",
        has: &["arrow"],
        lacks: &[
            "parquet",
            "wasmtime",
            "tokio",
            "rdkafka",
            "weir-abi",
            "weir-formats",
            "weir-sandbox",
            "weir-sinks",
            "weir-plan",
            "weir-query",
        ],
        reason: "a batch is data: no formats, no I/O, no wasm",
    },
    Rule {
        package: "weir-formats",
        has: &["weir-batch", "parquet"],
        lacks: &[
            "wasmtime",
            "tokio",
            "rdkafka",
            "weir-abi",
            "weir-files",
            "weir-sandbox",
            "weir-sinks",
            "weir-plan",
            "weir-query",
        ],
        reason: "a decoder takes bytes, wherever they come from: it is fuzzed by itself",
    },
    Rule {
        package: "weir-state",
        has: &["weir-files", "weir-formats", "serde_json"],
        lacks: &[
            "wasmtime",
            "tokio",
            "rdkafka",
            "weir-sandbox",
            "weir-sources",
            "weir-sinks",
            "weir-plan",
            "weir-query",
        ],
        reason: "what is kept on disk is read and fuzzed without what wrote it",
    },
    Rule {
        package: "weir-kafka",
        has: &["weir-batch", "rdkafka"],
        lacks: &["wasmtime", "weir-formats", "weir-sources", "weir-sinks", "weir-plan", "weir-query"],
        reason: "what readers and writers of topics share is neither of both",
    },
    Rule {
        package: "weir-sources",
        has: &["weir-batch", "weir-formats", "weir-state", "weir-kafka", "tokio", "rdkafka"],
        lacks: &["wasmtime", "weir-abi", "weir-sandbox", "weir-sinks", "weir-plan", "weir-query"],
        reason: "a source can be tested without an engine, and knows no sink",
    },
    Rule {
        package: "weir-sinks",
        has: &["weir-batch", "weir-formats", "weir-kafka", "tokio", "rdkafka"],
        lacks: &["wasmtime", "weir-abi", "weir-sandbox", "weir-sources", "weir-plan", "weir-query"],
        reason: "a sink can be tested without an engine",
    },
    Rule {
        package: "weir-admission",
        has: &["wasmtime", "weir-abi", "weir-batch", "weir-confine", "seccompiler"],
        lacks: &[
            "tokio",
            "rdkafka",
            "parquet",
            "weir-formats",
            "weir-sandbox",
            "weir-sinks",
            "weir-plan",
            "weir-query",
            "weir-guest",
            "weir-hostile",
            "wat",
        ],
        reason: "what decides about hostile code, and compiles it, runs none of it",
    },
    Rule {
        package: "weir-sandbox",
        has: &["wasmtime", "weir-abi", "weir-admission", "weir-batch"],
        lacks: &[
            "rdkafka",
            "parquet",
            "weir-formats",
            "weir-sinks",
            "weir-plan",
            "weir-query",
            "weir-guest",
            "weir-hostile",
            "wat",
        ],
        reason: "what holds hostile code in check has no business with outputs; host and guest share the ABI's constants only",
    },
    Rule {
        package: "weir-config",
        has: &["serde", "toml"],
        lacks: &[
            "arrow",
            "wasmtime",
            "rdkafka",
            "tokio",
            "weir-files",
            "weir-batch",
            "weir-formats",
            "weir-admission",
            "weir-sandbox",
            "weir-sinks",
            "weir-plan",
            "weir-query",
        ],
        reason: "a query file can be read, sent and described by whoever cannot run it: it opens nothing",
    },
    Rule {
        package: "weir-plan",
        has: &["weir-config", "weir-files", "weir-formats", "weir-admission", "weir-sources", "weir-sinks"],
        lacks: &["weir-sandbox", "weir-query", "weir-guest", "clap", "opentelemetry_sdk"],
        reason: "a query file is checked as a whole without a run: a plan is data",
    },
    Rule {
        package: "weir-trace",
        has: &["weir-batch"],
        lacks: &[
            "tokio",
            "weir-plan",
            "weir-sandbox",
            "weir-sinks",
            "weir-query",
            "opentelemetry",
            "opentelemetry_sdk",
        ],
        reason: "a span is plain values: neither the plan nor an exporter is known",
    },
    Rule {
        package: "weir-letters",
        has: &["weir-plan", "weir-state", "weir-sources", "weir-sinks"],
        lacks: &["weir-query", "weir-guest", "clap"],
        reason: "letters are written and made records again without a run",
    },
    Rule {
        package: "weir-query",
        has: &["weir-plan", "weir-letters", "weir-trace", "weir-batch", "weir-sandbox", "weir-sources", "weir-sinks"],
        lacks: &["weir-guest", "clap", "indicatif", "opentelemetry_sdk", "opentelemetry-otlp"],
        reason: "a query runs without a terminal, and hands its spans on as plain values; host and guest share the ABI's constants only",
    },
    Rule {
        package: "weir-telemetry",
        has: &["weir-query", "opentelemetry-proto"],
        lacks: &["weir-guest", "weir-redteam", "hyper", "clap", "indicatif", "ratatui"],
        reason: "queries are measured through their handles, without a terminal, and served elsewhere",
    },
    Rule {
        package: "weir-admin",
        has: &["weir-query", "weir-telemetry", "hyper"],
        lacks: &["weir-guest", "weir-redteam", "clap", "indicatif", "ratatui"],
        reason: "queries are seen and steered through their handles, without a terminal",
    },
    Rule {
        package: "weir-hostile",
        has: &["wat"],
        lacks: &["wasmtime", "weir-abi", "weir-batch", "weir-sandbox"],
        reason: "attacks are made from the contract, not from the host's code",
    },
    Rule {
        package: "weir-redteam",
        has: &["weir-hostile", "weir-sandbox"],
        lacks: &["weir-sinks", "clap", "indicatif"],
        reason: "a host is attacked without a terminal and without a query around it",
    },
    Rule {
        package: "weir-guest",
        has: &["weir-abi", "weir-guest-macros"],
        lacks: &["wasmtime", "arrow", "tokio", "weir-batch", "weir-sandbox", "weir-sinks", "weir-plan", "weir-query"],
        reason: "an author's crate is compiled to wasm and knows nothing of the host",
    },
];

/// Dependencies that a package has only with one of its default features.
struct Feature {
    package: &'static str,
    feature: &'static str,
    names: &'static [&'static str],
    reason: &'static str,
}

const FEATURES: [Feature; 4] = [
    Feature {
        package: "weir-cli",
        feature: "redteam",
        names: &["weir-redteam", "weir-hostile", "wat"],
        reason: "the first build of a newcomer does without attacks",
    },
    Feature {
        package: "weir-cli",
        feature: "kafka",
        names: &["rdkafka", "rdkafka-sys"],
        reason: "the first build of a newcomer does without a C++ compiler",
    },
    Feature {
        package: "weir-cli",
        feature: "nexmark",
        names: &["nexmark"],
        reason: "the first build of a newcomer does without benchmarks",
    },
    Feature {
        package: "weir",
        feature: "kafka",
        names: &["rdkafka", "rdkafka-sys"],
        reason: "an embedding program can be built without a C++ compiler",
    },
];

/// The programs. Libraries have typed errors.
const ANYHOW_USERS: [&str; 2] = ["weir-cli", "xtask"];

/// Checks every rule, and prints the ones that hold.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let everything = Tree::of(workspace, &["--workspace"])?;
    let mut broken = Vec::new();
    for rule in &RULES {
        let found = rule.check(&Tree::of(workspace, &["--package", rule.package])?, &everything);
        if found.is_empty() {
            println!("{} depends on {}, and not on {}", rule.package, rule.has.join(", "), rule.lacks.join(", "));
        }
        broken.extend(found);
    }
    for feature in &FEATURES {
        let without = Tree::of(workspace, &["--package", feature.package, "--no-default-features"])?;
        let with = Tree::of(workspace, &["--package", feature.package])?;
        let found = feature.check(&without, &with);
        if found.is_empty() {
            println!(
                "{} depends on {} only with its feature `{}`",
                feature.package,
                feature.names.join(", "),
                feature.feature
            );
        }
        broken.extend(found);
    }
    let dependents = Tree::of(workspace, &["--workspace", "--invert", "anyhow", "--depth", "1"])?;
    match check_anyhow(&dependents) {
        None => println!("only {} use anyhow", ANYHOW_USERS.join(" and ")),
        Some(message) => broken.push(message),
    }
    let quiet = crate::quiet::broken(workspace)?;
    if quiet.is_empty() {
        println!("no lookup in the run loop fails silently");
    }
    broken.extend(quiet);
    let packages = Package::all(workspace)?;
    let large = sizes::broken(&packages)?;
    if large.is_empty() {
        println!("no crate is too large: {}", sizes::largest(&packages)?);
    }
    broken.extend(large);
    let circles = circles::broken(&packages)?;
    if circles.is_empty() {
        println!("no files of a crate depend on each other in a circle");
    }
    broken.extend(circles);
    let public = public::broken(&packages);
    if public.is_empty() {
        println!("errors of libraries have `fault` and `retryable`, and names of public types mean one thing");
    }
    broken.extend(public);
    let idle = idle_tests::broken(workspace, &packages)?;
    if idle.is_empty() {
        println!("no library has tests that are never run");
    }
    broken.extend(idle);
    let named = named_tests::broken(workspace)?;
    if named.is_empty() {
        println!("every test that a page of docs names exists");
    }
    broken.extend(named);
    let closed = growth::broken(&packages);
    if closed.is_empty() {
        println!("public structs and the enums of `weir` can grow, or are closed on purpose");
    }
    broken.extend(closed);
    if !broken.is_empty() {
        bail!("{} invariants are broken\n  {}", broken.len(), broken.join("\n  "));
    }
    Ok(())
}

impl Rule {
    /// The violations of this rule; `everything` is the tree of the whole workspace.
    fn check(&self, tree: &Tree, everything: &Tree) -> Vec<String> {
        let Self { package, reason, .. } = self;
        let mut broken = Vec::new();
        for name in self.has {
            if !tree.contains(name) {
                broken.push(format!("{package} should depend on {name}, but does not: check the name"));
            }
        }
        for name in self.lacks {
            if tree.contains(name) {
                broken.push(format!(
                    "{package} must not depend on {name} ({reason}): `cargo tree --edges normal --package {package} --invert {name}` shows the path"
                ));
            } else if !everything.contains(name) {
                broken.push(format!("the rule for {package} forbids {name}, on which nothing depends: check the name"));
            }
        }
        broken
    }
}

impl Feature {
    /// The violations in a package's trees, without and with its default features.
    fn check(&self, without: &Tree, with: &Tree) -> Vec<String> {
        let Self { package, feature, reason, .. } = self;
        let mut broken = Vec::new();
        for name in self.names {
            if without.contains(name) {
                broken.push(format!("{package} must not depend on {name} without its feature `{feature}` ({reason})"));
            }
            if !with.contains(name) {
                broken.push(format!("{package} should depend on {name}, but does not: check the name"));
            }
        }
        broken
    }
}

fn check_anyhow(dependents: &Tree) -> Option<String> {
    let users: Vec<&str> = dependents.local_names().collect();
    (users != ANYHOW_USERS).then(|| {
        format!("only {} should depend on anyhow directly, but {} do", ANYHOW_USERS.join(" and "), users.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const RULE: Rule = Rule { package: "sinks", has: &["batch"], lacks: &["engine"], reason: "tests need no engine" };

    fn check(tree: &str, everything: &str, expected: Expect) {
        let (tree, everything) = (Tree::parse(tree).unwrap(), Tree::parse(everything).unwrap());
        expected.assert_eq(&RULE.check(&tree, &everything).join("\n"));
    }

    #[test]
    fn a_rule_that_holds_says_nothing() {
        check("sinks v1.0.0\nbatch v1.0.0\nengine-types v1.0.0\n", "batch v1.0.0\nengine v1.0.0\n", expect![""]);
    }

    #[test]
    fn a_forbidden_dependency_is_named_with_its_reason() {
        check(
            "sinks v1.0.0\nbatch v1.0.0\nengine v1.0.0\n",
            "engine v1.0.0\n",
            expect![
                "sinks must not depend on engine (tests need no engine): `cargo tree --edges normal --package sinks --invert engine` shows the path"
            ],
        );
    }

    #[test]
    fn a_misspelt_name_does_not_pass() {
        check(
            "sinks v1.0.0\nbatsch v1.0.0\n",
            "batsch v1.0.0\nengin v1.0.0\n",
            expect![[r#"
                sinks should depend on batch, but does not: check the name
                the rule for sinks forbids engine, on which nothing depends: check the name"#]],
        );
        assert!(Tree::of(&Workspace::here(), &["--package", "weir-no-such-crate"]).is_err());
    }

    #[test]
    fn a_feature_adds_what_it_names_and_nothing_else_does() {
        let [with, without] = ["cli v1.0.0\nweir-redteam v1.0.0\nweir-hostile v1.0.0\nwat v1.0.0\n", "cli v1.0.0\n"]
            .map(|tree| Tree::parse(tree).unwrap());
        assert_eq!(FEATURES[0].check(&without, &with), [""; 0]);
        assert_eq!(FEATURES[0].check(&with, &with).len(), 3);
        assert_eq!(FEATURES[0].check(&without, &without).len(), 3);
    }

    #[test]
    fn anyhow_is_for_programs() {
        let programs = "anyhow v1.0.0\nwasmprinter v0.1.0\nweir-cli v0.1.0 (/src/cli)\nxtask v0.1.0 (/src/xtask)\n";
        assert_eq!(check_anyhow(&Tree::parse(programs).unwrap()), None);
        for wrong in [format!("{programs}weir-sinks v0.1.0 (/src/sinks)\n"), programs.replace("xtask", "task")] {
            assert!(check_anyhow(&Tree::parse(&wrong).unwrap()).is_some(), "{wrong}");
        }
    }
}
