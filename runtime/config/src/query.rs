//! The query file as a whole.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeTable;

use crate::environment;
use crate::key::Keys;
use crate::kinds::{Name, Tenant};
use crate::names::{self, Names};
use crate::problem::{KeyPlace, Problem, Problems};
use crate::setting::Setting;
use crate::settings::{self, BatchingKeys, DeliveryKeys, LettersDraft};
use crate::sink::{self, SinkDraft};
use crate::source::{self, SourceDraft};
use crate::stage::{self, StageDraft};
use crate::table::{Table, read_nothing};
use crate::text;
use crate::topics::Topics;

/// A query file as far as it could be read: what it says, with the place of everything that may turn out to be wrong.
/// Nothing that it names has been looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueryDraft {
    /// The query's name; `None` where it is missing or wrong, which has been reported.
    pub name: Setting<String>,
    /// The tenant, as it is written.
    pub tenant: Setting<String>,
    /// The sources, in the order of the text.
    pub sources: Vec<SourceDraft>,
    /// The stages.
    pub stages: Vec<StageDraft>,
    /// The sinks, in the order of the text.
    pub sinks: Vec<SinkDraft>,
    /// What is promised.
    pub delivery: DeliveryKeys,
    /// How batches are gathered.
    pub batching: BatchingKeys,
    /// Where dead letters go, if the file says so.
    pub dead_letters: Option<LettersDraft>,
}

keys! {
    /// The query's name and tenant.
    pub struct HeadKeys {
        /// The query's name.
        name: Name, required "give the query a name, for example `name = \"late-flights\"`";
        /// The tenant whose functions run and whose limits apply.
        tenant: Tenant = "default".to_owned();
    }
}

/// A query file that is being read. Its tenant comes first, since what may be taken from the environment depends on it.
pub struct QueryReader<'t> {
    root: Spanned<DeTable<'t>>,
    problems: Problems,
}

impl<'t> QueryReader<'t> {
    /// Begins with the text of a query file.
    ///
    /// # Errors
    ///
    /// Every mistake of TOML itself.
    pub fn begin(text: &'t str) -> Result<QueryReader<'t>, Vec<Problem>> {
        let (root, problems) = text::parse(text)?;
        Ok(QueryReader { root, problems })
    }

    /// The tenant, as it is written; what is wrong with it is reported by [`QueryReader::finish`] or [`QueryReader::refuse`].
    pub fn tenant(&self) -> Setting<String> {
        let unheard = Problems::new("");
        HeadKeys::read(&mut Table::new(KeyPlace::default(), self.root.get_ref(), &unheard)).tenant
    }

    /// Where the tenant is, or would be.
    pub fn tenant_place(&self) -> KeyPlace {
        self.tenant().place.unwrap_or_else(|| KeyPlace::default().child("tenant", 0))
    }

    /// What is wrong so far, for whoever finds more.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Puts values of the environment in the place of every `{ env = "NAME" }`. `rights` says which variables this tenant
    /// may use, and `lookup` gives their values.
    pub fn take_environment(&mut self, tenant: &str, rights: &Topics, lookup: &dyn Fn(&str) -> Option<OsString>) {
        environment::substitute(self.root.get_mut(), tenant, rights, lookup, &self.problems);
    }

    /// Ends without reading more than name and tenant: for a file that may not speak for its tenant.
    pub fn refuse(self) -> Problems {
        head(&mut Table::new(KeyPlace::default(), self.root.get_ref(), &self.problems));
        self.problems
    }

    /// Reads everything. What is wrong is in the problems that come back, for the resolver to go on with.
    pub fn finish(self) -> (QueryDraft, Problems) {
        let mut root = Table::new(KeyPlace::default(), self.root.get_ref(), &self.problems);
        let mut names = Names::default();
        let HeadKeys { name, tenant } = head(&mut root);
        let sources = source::read(&mut root, &mut names);
        let stages = stage::read(&mut root, &mut names);
        let delivery = root.section("delivery", settings::delivery);
        let sinks = sink::read(&mut root, &mut names);
        let batching = root.section("batching", settings::batching);
        let dead_letters = settings::dead_letters(&mut root);
        root.finish("a query");
        let draft = QueryDraft {
            name,
            tenant,
            sources,
            stages,
            sinks,
            delivery: delivery.unwrap_or_else(|| read_nothing(DeliveryKeys::read)),
            batching: batching.unwrap_or_else(|| read_nothing(BatchingKeys::read)),
            dead_letters,
        };
        (draft, self.problems)
    }
}

fn head(root: &mut Table<'_>) -> HeadKeys {
    let problems = root.problems;
    let mut head = HeadKeys::read(root);
    if let Some((place, name)) = head.name.given()
        && !names::check(name, place, problems)
    {
        head.name.value = None;
    }
    head
}
