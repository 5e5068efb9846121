//! The limits file: what each tenant of a process may use.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::key::{Key, Keys, SettingKind};
use crate::kinds::{Boolean, Integer, Tenant, Texts, Word, texts_schema};
use crate::limits::{self, LimitDraft};
use crate::problem::{KeyPlace, Problem, Problems};
use crate::table::{Item, Table};
use crate::text;
use crate::topics::Pattern;
use crate::words::{UnknownTenants, WorkerTier};
use crate::workers::{ProcessKeys, WorkersKeys};
use crate::written::WrittenText;

/// A limits file as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimitsDraft {
    /// What becomes of tenants that it does not name; `None` where that is wrong, which has been reported.
    pub unknown_tenants: Option<UnknownTenants>,
    /// What holds for the processes of all tenants.
    pub workers: Option<WorkersKeys>,
    /// What every tenant has.
    pub defaults: Option<TenantDraft>,
    /// What each named tenant has beyond that: its place and name as well.
    pub tenants: Vec<(WrittenText, Option<TenantDraft>)>,
}

/// What a limits file says of one tenant, or of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantDraft {
    /// The limits that it gives.
    pub limits: Vec<LimitDraft>,
    /// How many parts a query may have.
    pub sizes: SizeKeys,
    /// What its worker process may take.
    pub process: ProcessKeys,
    /// Files, topics, brokers and variables.
    pub rights: RightKeys,
    /// Which worker its queries run in.
    pub placement: PlacementKeys,
}

/// The most parts of a query that a limits file can allow.
const SIZE_MAX: u64 = 10_000;

keys! {
    /// How many parts a query may have. Each costs a task, descriptors and buffers; the defaults are several times the largest
    /// queries seen in use.
    pub struct SizeKeys {
        /// Number of sources in one query.
        sources_max: Integer(1, SIZE_MAX) = 64;
        /// Number of stages in one query.
        stages_max: Integer(1, SIZE_MAX) = 64;
        /// Number of sinks in one query.
        sinks_max: Integer(1, SIZE_MAX) = 64;
    }
}

keys! {
    /// Which files, topics, brokers and variables a tenant's queries may use.
    pub struct RightKeys {
        /// Folders whose query files may name this tenant. Default: any.
        queries: Texts;
        /// Folders for the tenant's files and modules. Default: any.
        folders: Texts;
        /// Whether the tenant's queries may read `/dev/stdin` although it is outside of `folders`.
        standard_input: Boolean = false;
        /// Topics that the tenant may read and write: names, or prefixes that end in `*`. Default: any.
        topics: TopicPatterns;
        /// Brokers that the tenant may use. Default: any.
        brokers: BrokerList;
        /// Networks that the tenant's worker may reach: `public` (every public address), `10.1.0.0/16`, `fd00::/8`, one address; or
        /// `none` alone. Default: `public`.
        networks: NetworkList;
        /// Environment variables that the tenant's query files may read: names, or prefixes that end in `*`. Default: none.
        env: EnvPatterns;
    }
}

keys! {
    /// Which worker a tenant's queries run in, where `weir run` uses workers.
    pub struct PlacementKeys {
        /// `standard`: one worker process for all queries of the tenant. `isolated`: one for each query.
        tier: Word<WorkerTier> = WorkerTier::Standard;
        /// Tenants with the same group share one worker process: the operating system does not keep them apart from each other.
        worker_group: Tenant;
    }
}

keys! {
    /// The keys of the file itself.
    pub struct LimitsFileKeys {
        /// What to do with queries of a tenant that the file does not name: `refuse` them, or run them within the `defaults`.
        unknown_tenants: Word<UnknownTenants> = UnknownTenants::Refuse;
    }
}

/// Every key of a tenant's table.
pub(crate) fn describe_tenant() -> Vec<Key> {
    let mut keys = limits::describe(limits::OF_STAGE);
    keys.extend(limits::describe(limits::OF_TENANT));
    keys.extend(limits::describe(limits::OF_MODULES));
    keys.extend(SizeKeys::describe());
    keys.extend(ProcessKeys::describe());
    keys.extend(RightKeys::describe());
    keys.extend(PlacementKeys::describe());
    keys
}

/// Topics, or beginnings of their names.
pub struct TopicPatterns;

/// Variables, or beginnings of their names.
pub struct EnvPatterns;

/// Brokers, each `host:port`.
pub struct BrokerList;

/// Networks that a worker may reach.
pub struct NetworkList;

impl SettingKind for TopicPatterns {
    type Value = Vec<Pattern>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<Pattern>> {
        let legal = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        patterns(item, "a topic", legal)
    }

    fn schema(&self) -> Json {
        texts_schema(&json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]*[A-Za-z0-9._*-]$" }))
    }

    fn values(&self) -> String {
        "topics, or prefixes with `*`".to_owned()
    }
}

impl SettingKind for EnvPatterns {
    type Value = Vec<Pattern>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<Pattern>> {
        let legal = |name: &str| !name.contains(['=', '\0', '*']);
        patterns(item, "a variable", legal)
    }

    fn schema(&self) -> Json {
        texts_schema(&json!({ "type": "string", "pattern": "^[^=*]*[^=]$" }))
    }

    fn values(&self) -> String {
        "variables, or prefixes with `*`".to_owned()
    }
}

impl SettingKind for BrokerList {
    type Value = Vec<String>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<String>> {
        let written = item.texts()?;
        let mut brokers = Vec::with_capacity(written.len());
        for WrittenText { place, text } in written {
            let port =
                text.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
            match port {
                Some(_) => brokers.push(text),
                None => item.error_at(&place, "is not host:port", "write for example `kafka-1:9092`"),
            }
        }
        Some(brokers)
    }

    fn schema(&self) -> Json {
        texts_schema(&json!({ "type": "string", "pattern": "^.+:[0-9]{1,5}$" }))
    }

    fn values(&self) -> String {
        "list of `host:port`".to_owned()
    }
}

impl SettingKind for NetworkList {
    type Value = Vec<String>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<String>> {
        let written = item.texts()?;
        let mut networks = Vec::with_capacity(written.len());
        let is_single = written.len() == 1;
        for WrittenText { place, text } in written {
            match text.as_str() {
                "none" if is_single => {}
                "none" => item.error_at(&place, "`none` is beside others", "write `none` alone, or remove it"),
                "public" => networks.push(text),
                network if is_network(network) => networks.push(text),
                _ => {
                    let help = "write `public`, an address, or an address with bits: `10.1.0.0/16`, `fd00::/8`";
                    item.error_at(&place, "is not a network", help);
                }
            }
        }
        Some(networks)
    }

    fn schema(&self) -> Json {
        texts_schema(&json!({ "type": "string", "pattern": "^(public|none|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$" }))
    }

    fn values(&self) -> String {
        "`public`, networks, or `none`".to_owned()
    }
}

/// An address, or an address and how many of its bits count.
fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u32>().is_ok_and(|bits| bits <= bits_max))
}

fn patterns(item: &Item<'_>, what: &str, legal: impl Fn(&str) -> bool) -> Option<Vec<Pattern>> {
    let written = item.texts()?;
    let mut patterns = Vec::with_capacity(written.len());
    for WrittenText { place, text } in &written {
        match Pattern::parse(text, &legal) {
            Some(pattern) => patterns.push(pattern),
            None => {
                let help = "write a name, or a prefix that ends with `*`";
                item.error_at(place, format!("is not the name of {what}, or a prefix of one"), help);
            }
        }
    }
    Some(patterns)
}

impl LimitsDraft {
    /// Reads the text of a limits file. What is wrong is in the problems that come back, for the resolver to go on with.
    ///
    /// # Errors
    ///
    /// Every mistake of TOML itself.
    pub fn read(text: &str) -> Result<(LimitsDraft, Problems), Vec<Problem>> {
        let (root, problems) = text::parse(text)?;
        let mut root = Table::new(KeyPlace::default(), root.get_ref(), &problems);
        let unknown_tenants = LimitsFileKeys::read(&mut root).unknown_tenants.value;
        let workers = root.section("workers", |mut table| {
            let keys = WorkersKeys::read(&mut table);
            table.finish("`workers`");
            keys
        });
        let defaults = root.section("defaults", |table| tenant(table, "`defaults`"));
        let mut tenants = Vec::new();
        if let Some(table) = root.optional("tenants").and_then(|item| item.table()) {
            for (name, item) in table.items() {
                let draft = item.table().map(|table| tenant(table, "a tenant"));
                tenants.push((WrittenText { place: item.place, text: name.to_owned() }, draft));
            }
        }
        root.finish("a limits file");
        Ok((LimitsDraft { unknown_tenants, workers, defaults, tenants }, problems))
    }
}

fn tenant(mut table: Table<'_>, what: &str) -> TenantDraft {
    let limits = limits::of_tenant(&mut table);
    let sizes = SizeKeys::read(&mut table);
    let process = ProcessKeys::read(&mut table);
    let rights = RightKeys::read(&mut table);
    let placement = PlacementKeys::read(&mut table);
    table.finish(what);
    TenantDraft { limits, sizes, process, rights, placement }
}
