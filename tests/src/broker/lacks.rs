//! What a broker does not do that Kafka does.

use super::own::Program;
use crate::process::environment;

/// What Kafka does, and not every broker that speaks its protocol. `docs/kafka.md` has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Members share a group by the cooperative-sticky strategy, and one that goes silent loses its partitions to the others.
    Groups,
    /// Records of aborted transactions are hidden from readers of committed ones.
    Aborts,
    /// Offsets in a transaction are refused where they bear an older generation of the group (KIP-447).
    Generations,
}

const ALL: [Feature; 3] = [Feature::Groups, Feature::Aborts, Feature::Generations];

/// The variable that says of a cluster what it lacks, by names with commas between them.
const VARIABLE: &str = "KAFKA_LACKS";

impl Feature {
    /// Its name in the environment.
    fn name(self) -> &'static str {
        match self {
            Feature::Groups => "groups",
            Feature::Aborts => "aborts",
            Feature::Generations => "generations",
        }
    }
}

/// What the test brokers lack.
pub(super) fn of_program(program: Program) -> Vec<Feature> {
    match program {
        Program::Tansu => vec![Feature::Aborts, Feature::Generations],
        Program::Noida => vec![Feature::Groups, Feature::Generations],
    }
}

/// What the cluster of the environment is said to lack; nothing, unless it is said.
pub(super) fn of_cluster() -> Vec<Feature> {
    let Some(said) = environment(VARIABLE) else { return Vec::new() };
    parse(&said.into_string().expect("KAFKA_LACKS: UTF-8"))
}

fn parse(said: &str) -> Vec<Feature> {
    let names = said.split(',').map(str::trim).filter(|name| !name.is_empty());
    let feature = |name: &str| ALL.into_iter().find(|feature| feature.name() == name);
    names.map(|name| feature(name).unwrap_or_else(|| panic!("{VARIABLE}: `{name}` is none of {ALL:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_lacks_is_said_by_name() {
        assert_eq!(parse(""), []);
        assert_eq!(parse("groups, generations"), [Feature::Groups, Feature::Generations]);
        assert_eq!(parse(&ALL.map(Feature::name).join(",")), ALL);
    }

    #[test]
    #[should_panic(expected = "KAFKA_LACKS: `abort` is none of [Groups, Aborts, Generations]")]
    fn a_name_that_is_none_is_refused() {
        parse("abort");
    }
}
