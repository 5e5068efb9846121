//! Row 72: somebody changes compiled code on disk, or puts another's in its place.

use std::fs;
use std::path::{Path, PathBuf};

use weir_hostile::Class;
use weir_sandbox::{CacheConfig, CacheUse, CodeOrigin, Engine, EngineConfig, Limits};

use super::{Broken, Finding, Procedure, at, hold, limits};
use crate::ground::{Ground, tenant};
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 72,
    name: "cache_poisoning",
    title: "compiled code on disk with a byte changed, cut short, or another tenant's",
    class: Class::Compile,
    expected: "never loaded: reported, and compiled again",
    steps,
};

fn steps(ground: &Ground) -> Finding {
    let folder = std::env::temp_dir().join(format!("weir-redteam-{}", std::process::id()));
    let found = poison(ground, &folder);
    drop(fs::remove_dir_all(&folder));
    found
}

fn poison(ground: &Ground, folder: &Path) -> Finding {
    let limits = limits(ground);
    // In this process: what is asked is what is read back, not how it is made.
    let cache = Some(CacheConfig::new(folder, 1 << 30));
    let config = EngineConfig::default().with(|it| {
        it.cache = cache;
        it.instances_max = 4;
    });
    let open = || Engine::new(&config).map_err(at("an engine with a cache"));
    let engine = open()?;
    origin(&engine, "poisoned", &limits)?;
    hold(origin(&engine, "poisoned", &limits)? == CodeOrigin::Cache, || "the code was not kept".to_owned())?;
    let file = code_of(folder, "poisoned")?;
    let good = fs::read(&file).map_err(at("the kept code"))?;
    origin(&engine, "poisoner", &limits)?;
    let others = fs::read(code_of(folder, "poisoner")?).map_err(at("the kept code"))?;

    let mut tried = 0;
    let mut flips: Vec<Vec<u8>> = Vec::new();
    for place in (0..good.len()).step_by((good.len() / 40).max(1)) {
        let mut bytes = good.clone();
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 0x40;
        }
        flips.push(bytes);
    }
    let cuts = [0, 1, good.len() / 2, good.len().saturating_sub(1)];
    let cuts = cuts.into_iter().filter_map(|length| good.get(..length).map(<[u8]>::to_vec));
    for bytes in flips.into_iter().chain(cuts).chain([others]) {
        fs::write(&file, &bytes).map_err(at("the poison"))?;
        let engine = open()?;
        let origin = origin(&engine, "poisoned", &limits)?;
        let CacheUse { hits, rejected, .. } = engine.cache_use();
        hold(origin == CodeOrigin::Compiler && (hits, rejected) == (0, 1), || format!("poison {tried} was loaded"))?;
        tried += 1;
    }
    Ok(format!("{tried} poisoned files reported and compiled again, none loaded"))
}

fn origin(engine: &Engine, name: &str, limits: &Limits) -> Result<CodeOrigin, Broken> {
    engine.admit(&tenant(name), &guest::filter("", ""), limits).map(|module| module.origin()).map_err(at("upload"))
}

/// The one file that is kept for this tenant.
fn code_of(folder: &Path, name: &str) -> Result<PathBuf, Broken> {
    let folder = folder.join("v1/tenants.d").join(tenant(name).as_str());
    let mut entries = fs::read_dir(&folder).map_err(at("the tenant's folder"))?.flatten();
    entries.next().map(|entry| entry.path()).ok_or_else(|| Broken("nothing was kept".to_owned()))
}
