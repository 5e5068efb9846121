//! Parts of Weir that a program can be built without.

use weir_config::{KeyPlace, Problems};

/// A part that an embedding program can leave out.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Kafka,
    Nexmark,
}

impl Part {
    fn is_there(self) -> bool {
        match self {
            Part::Kafka => weir_kafka::HAS_CLIENT,
            Part::Nexmark => weir_sources::HAS_NEXMARK,
        }
    }

    /// Reports a kind of source or sink that needs this part, if the program was built without it.
    pub(crate) fn require(self, place: &KeyPlace, problems: &Problems) {
        if !self.is_there() {
            self.refuse(place, problems);
        }
    }

    fn refuse(self, place: &KeyPlace, problems: &Problems) {
        let (name, feature) = match self {
            Part::Kafka => ("Kafka", "kafka"),
            Part::Nexmark => ("Nexmark", "nexmark"),
        };
        let message = format!("this program was built without {name}");
        problems.error(place, message, format!("use another kind, or build the program with the feature `{feature}`"));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use weir_config::QueryReader;

    use super::*;

    #[test]
    fn a_kind_that_is_not_built_in_is_refused_where_it_is_named() {
        let text = "name = \"q\"\n[sources.trips]\ntopic = \"t\"\nbrokers = \"b:1\"\nkind = \"kafka\"\nschema = { a = \"i64\" }\n\
                    [sinks.count]\nkind = \"count\"\n";
        let (draft, problems) = QueryReader::begin(text).map_err(|_| "no TOML").unwrap().finish();
        // Tests have both.
        Part::Kafka.require(&draft.sources[0].kind_place, &problems);
        Part::Nexmark.require(&draft.sources[0].kind_place, &problems);
        Part::Kafka.refuse(&draft.sources[0].kind_place, &problems);
        let said: Vec<String> =
            problems.finish().unwrap_err().iter().map(|it| format!("line {}: {it}", it.line)).collect();
        expect!["line 5: sources.trips.kind: this program was built without Kafka; use another kind, or build the program with the feature `kafka`"].assert_eq(&said.join("\n"));
    }
}
