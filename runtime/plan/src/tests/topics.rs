//! Topics, groups, brokers and variables that are not a tenant's: attack 60, "output to an unowned topic or path: denied".

use expect_test::{Expect, expect};

use super::super::{LimitsFile, Plan};
use super::folder;

const LIMITS: &str = "[tenants.acme]\ntopics = [\"acme.*\", \"shared-in\"]\nbrokers = [\"kafka-1:9092\"]\nenv = [\"CARGO_MANIFEST_*\"]\n";

fn query(read: &str, written: &str, more: &str) -> String {
    format!(
        "name = \"copy\"\ntenant = \"acme\"\n[sources.in]\nkind = \"kafka\"\nbrokers = \"kafka-1:9092\"\n\
         topic = \"{read}\"\nformat = \"raw\"\n{more}\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = \"kafka-1:9092\"\ntopic = \"{written}\"\n"
    )
}

fn problems(limits: &str, text: &str) -> String {
    let folder = folder();
    let limits = LimitsFile::parse(limits, folder.path()).unwrap();
    let problems = Plan::parse_with(text, folder.path(), &limits).err().unwrap_or_default();
    problems.iter().map(|problem| format!("{}: {problem}\n", problem.line)).collect()
}

fn check(limits: &str, text: &str, expect: &Expect) {
    expect.assert_eq(&problems(limits, text));
}

#[test]
fn what_is_the_tenants_is_allowed() {
    check(LIMITS, &query("shared-in", "acme.late", "group = \"acme.copy.more\""), &expect![""]);
    check(LIMITS, &query("acme.in", "acme.", ""), &expect![""]);
    let anything = "[tenants.acme]";
    check(anything, &query("theirs", "also-theirs", "group = \"any\""), &expect![""]);
    let defaults = "unknown_tenants = \"defaults\"\n[defaults]\ntopics = [\"shared-*\"]";
    check(defaults, &query("shared-in", "shared-out", ""), &expect![""]);
    check(&format!("{defaults}\n{LIMITS}"), &query("acme.in", "acme.out", ""), &expect![""]);
}

#[test]
fn outputs_to_topics_of_others_are_denied() {
    for topic in [
        "beta.late",
        "acme",
        "acmes",
        "ACME.late",
        "Acme.late",
        "shared-in2",
        "shared",
        "late",
        "xacme.late",
        "__consumer_offsets",
    ] {
        let said = problems(LIMITS, &query("shared-in", topic, ""));
        let expected =
            format!("12: sinks.out.topic: topic `{topic}` is not allowed for tenant `acme`: acme.*, shared-in; ");
        assert!(said.starts_with(&expected), "{topic}: {said}");
    }
    // Names that are none are denied before.
    for topic in ["acme./../beta", "acme.*", "acme.late\\u0000", "acme.late beta", ".."] {
        let said = problems(LIMITS, &query("shared-in", topic, ""));
        assert!(said.contains("sinks.out.topic: ") && said.contains("invalid topic"), "{topic}: {said}");
    }
}

#[test]
fn everything_else_that_is_not_the_tenants_is_denied() {
    let more = "group = \"beta.copy\"\noptions = { \"sasl.password\" = { env = \"HOME\" }, \"client.id\" = { env = \"CARGO_MANIFEST_DIR\" } }";
    let text = query("beta.in", "acme.late", more)
        + "[dead_letters]\nkind = \"kafka\"\nbrokers = \"kafka-1:9092,kafka-2:9092\"\ntopic = \"beta.dead\"\n";
    check(
        LIMITS,
        &text,
        &expect![[r#"
            6: sources.in.topic: topic `beta.in` is not allowed for tenant `acme`: acme.*, shared-in; use one of these, or add it in the limits file
            8: sources.in.group: group `beta.copy` is not allowed for tenant `acme`; begin it with `acme.`, or remove it; the default is `acme.copy`
            9: sources.in.options."sasl.password".env: `HOME` is not an allowed variable of tenant `acme`; use CARGO_MANIFEST_*
            16: dead_letters.brokers: `kafka-2:9092` is not an allowed broker of tenant `acme`; use kafka-1:9092
            17: dead_letters.topic: topic `beta.dead` is not allowed for tenant `acme`: acme.*, shared-in; use one of these, or add it in the limits file
        "#]],
    );
    let letters = text.replace(",kafka-2:9092", "").replace("env = \"HOME\"", "env = \"CARGO_MANIFEST_DIR\"");
    check(
        LIMITS,
        &letters,
        &expect![[r#"
        6: sources.in.topic: topic `beta.in` is not allowed for tenant `acme`: acme.*, shared-in; use one of these, or add it in the limits file
        8: sources.in.group: group `beta.copy` is not allowed for tenant `acme`; begin it with `acme.`, or remove it; the default is `acme.copy`
        17: dead_letters.topic: topic `beta.dead` is not allowed for tenant `acme`: acme.*, shared-in; use one of these, or add it in the limits file
    "#]],
    );
    check(
        "unknown_tenants = \"defaults\"\n[defaults]",
        &query("a", "b", "options = { \"sasl.password\" = { env = \"HOME\" } }"),
        &expect![[r#"
        8: sources.in.options."sasl.password".env: `HOME` is not an allowed variable of tenant `acme`; add it to the tenant's `env` in the limits file
    "#]],
    );
}

#[test]
fn limits_files_that_are_wrong() {
    let folder = folder();
    let text = "[tenants.acme]\ntopics = [\"a*b\", \"no topic\", \"*\"]\nbrokers = [\"kafka\", \":9092\"]\nenv = [\"A=B\", 7]\n[tenants.beta]\ntopics = []\n";
    let problems = LimitsFile::parse(text, folder.path()).unwrap_err();
    let said: String = problems.iter().map(|problem| format!("{}: {problem}\n", problem.line)).collect();
    expect![[r#"
        2: tenants.acme.topics[0]: is not the name of a topic, or a prefix of one; write a name, or a prefix that ends with `*`
        2: tenants.acme.topics[1]: is not the name of a topic, or a prefix of one; write a name, or a prefix that ends with `*`
        3: tenants.acme.brokers[0]: is not host:port; write for example `kafka-1:9092`
        3: tenants.acme.brokers[1]: is not host:port; write for example `kafka-1:9092`
        4: tenants.acme.env[1]: expected a string, found an integer
        6: tenants.beta.topics: an empty list; name at least one
    "#]].assert_eq(&said);
}

#[test]
fn networks_of_a_tenant() {
    let folder = folder();
    let text = "[tenants.acme]\nnetworks = [\"kafka\", \"10.0.0.0/33\", \"Public\", \"none\", \"::/0\"]\n[tenants.beta]\nnetworks = []\n";
    let problems = LimitsFile::parse(text, folder.path()).unwrap_err();
    let said: String = problems.iter().map(|problem| format!("{}: {problem}\n", problem.line)).collect();
    expect![[r#"
        2: tenants.acme.networks[0]: is not a network; write `public`, an address, or an address with bits: `10.1.0.0/16`, `fd00::/8`
        2: tenants.acme.networks[1]: is not a network; write `public`, an address, or an address with bits: `10.1.0.0/16`, `fd00::/8`
        2: tenants.acme.networks[2]: is not a network; write `public`, an address, or an address with bits: `10.1.0.0/16`, `fd00::/8`
        2: tenants.acme.networks[3]: `none` is beside others; write `none` alone, or remove it
        4: tenants.beta.networks: an empty list; name at least one
    "#]].assert_eq(&said);
    let text = "[defaults]\nnetworks = [\"10.0.0.0/8\"]\n[tenants.acme]\n[tenants.beta]\nnetworks = [\"public\", \"::1\"]\n\
                [tenants.gamma]\nnetworks = \"none\"\n";
    let file = LimitsFile::parse(text, folder.path()).unwrap();
    let networks = |tenant: &str| file.of(&tenant.parse().unwrap()).unwrap().networks.join(" ");
    assert_eq!(["acme", "beta", "gamma"].map(networks), ["10.0.0.0/8", "public ::1", ""]);
    let file = LimitsFile::parse("[tenants.acme]\n", folder.path()).unwrap();
    assert_eq!(file.of(&"acme".parse().unwrap()).unwrap().networks, ["public"]);
}
