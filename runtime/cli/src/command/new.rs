//! `weir new`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use crate::args;
use crate::exit::{Exit, wrong};

/// Path and contents of each file; `{name}`, `{file}`, `{query}` and `{sdk}` are filled in.
const TEMPLATE: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../template/src/lib.rs.in")),
    ("README.md", include_str!("../../template/README.md.in")),
    ("query.toml", include_str!("../../template/query.toml.in")),
    ("sample.jsonl", include_str!("../../template/sample.jsonl")),
    (".gitignore", include_str!("../../template/gitignore")),
];

pub(crate) fn new(args: &args::New, json: bool) -> anyhow::Result<Exit> {
    let folder = Path::new(&args.name);
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    check_name(&name).map_err(wrong)?;
    let sdk = sdk_dependency(args.sdk.as_deref()).map_err(wrong)?;
    fs::create_dir(folder)
        .with_context(|| folder.display().to_string())
        .map_err(|error| wrong(anyhow!("{error:#}: choose a new folder inside an existing one")))?;
    let fill = |text: &str| {
        let file = name.replace('-', "_");
        let query = name.replace('_', "-");
        text.replace("{name}", &name).replace("{file}", &file).replace("{query}", &query).replace("{sdk}", &sdk)
    };
    for (path, text) in TEMPLATE {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| anyhow!("{}: {error}", parent.display()))?;
        }
        fs::write(&path, fill(text)).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    }
    let mut stdout = std::io::stdout().lock();
    if json {
        writeln!(stdout, "{}", serde_json::json!({ "made": folder.display().to_string() }))?;
        return Ok(Exit::Done);
    }
    writeln!(stdout, "created {}: cd {} && cargo test", folder.display(), folder.display())?;
    writeln!(stdout, "then: cargo build --release --target wasm32-unknown-unknown && weir run query.toml")?;
    Ok(Exit::Done)
}

/// Cargo's own rules for a package's name, narrowed to lower case so that the module's file name is plain.
fn check_name(name: &str) -> anyhow::Result<()> {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if !first || !rest || name.len() > 60 {
        bail!(
            "invalid crate name `{}`: begin with a lower-case letter and use a-z, 0-9, - and _",
            weir_text::escape(name)
        );
    }
    // A crate of such a name would be taken for the standard library's or this one's dependency.
    if ["std", "core", "alloc", "test", "weir-guest", "weir_guest"].contains(&name) {
        bail!("`{name}` is the name of another crate");
    }
    Ok(())
}

/// The dependency on the SDK: the folder that was named, else the one beside which this command was built, else the
/// published crate of the same version.
fn sdk_dependency(said: Option<&Path>) -> anyhow::Result<String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk");
    let folder: Option<PathBuf> = match said {
        Some(folder) => Some(folder.canonicalize().map_err(|error| anyhow!("--sdk {}: {error}", folder.display()))?),
        None => beside.canonicalize().ok(),
    };
    match folder {
        Some(folder) if folder.join("Cargo.toml").is_file() => {
            Ok(format!("{{ path = {:?} }}", folder.display().to_string()))
        }
        Some(folder) if said.is_some() => bail!("--sdk {}: no Cargo.toml found", folder.display()),
        _ => Ok(format!("{:?}", env!("CARGO_PKG_VERSION"))),
    }
}
