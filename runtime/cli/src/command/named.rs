//! Queries by name, or by their file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::control::{Found, clean};

/// A query that somebody named.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) query: String,
    /// Its tenant, where the command line or the file says it.
    pub(super) tenant: Option<String>,
    /// Where it keeps its state, if it was named by a file.
    pub(super) state: KeptState,
}

/// Where a query keeps its state.
#[derive(Debug)]
pub(super) enum KeptState {
    /// Nobody said: it was called by its name.
    Unknown,
    /// Its file says nowhere.
    Nowhere,
    Folder(PathBuf),
}

/// The part of a query file that says whose it is. The rest may be wrong by now, and the query runs all the same.
#[derive(Debug, Deserialize)]
struct Head {
    name: String,
    #[serde(default = "default_tenant")]
    tenant: String,
    delivery: Option<Delivery>,
}

#[derive(Debug, Deserialize)]
struct Delivery {
    state: Option<PathBuf>,
}

fn default_tenant() -> String {
    "default".to_owned()
}

/// More than any query file has: what is longer is something else.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Named {
    /// A name has only letters, digits, `-` and `_`; whatever has more is a file.
    pub(super) fn new(written: &str, tenant: Option<&str>) -> anyhow::Result<Named> {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if written.bytes().all(of_name) && !written.is_empty() {
            let (query, tenant) = (written.to_owned(), tenant.map(str::to_owned));
            return Ok(Named { query, tenant, state: KeptState::Unknown });
        }
        let path = Path::new(written);
        let text = weir_files::read_whole(path, FILE_BYTES_MAX)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| Ok(String::from_utf8(bytes)?))
            .with_context(|| format!("{}: not the name of a query, and not a query file", clean(written)))
            .map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let head: Head = match toml::from_str(&text) {
            Ok(head) => head,
            Err(error) => bail!("{}: {}", clean(written), clean(error.message())),
        };
        if let Some(tenant) = tenant.filter(|&tenant| tenant != head.tenant) {
            bail!("{}: it belongs to tenant `{}`, not `{}`", clean(written), clean(&head.tenant), clean(tenant));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let state = head.delivery.and_then(|delivery| delivery.state);
        let state = state.map_or(KeptState::Nowhere, |state| KeptState::Folder(folder.join(state)));
        Ok(Named { query: head.name, tenant: Some(head.tenant), state })
    }

    /// Whether this is the query.
    pub(super) fn is(&self, found: &Found) -> bool {
        found.seen.query == self.query && self.tenant.as_ref().is_none_or(|tenant| *tenant == found.seen.tenant)
    }

    /// `` query `late` of tenant `demo` ``.
    pub(super) fn title(&self) -> String {
        let of = self.tenant.as_ref().map(|tenant| format!(" of tenant `{}`", clean(tenant))).unwrap_or_default();
        format!("query `{}`{of}", clean(&self.query))
    }
}
