//! The folder in which attacker and victim meet.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_hostile::Target;

use super::VICTIM_RECORDS;

/// A folder with the limits file, the victim's query and input, and what the attack adds. Removed when it is dropped.
pub(super) struct Arena {
    root: PathBuf,
    program: PathBuf,
    /// What modules are made to go just beyond.
    pub(super) target: Target,
}

const LIMITS: &str = "unknown_tenants = \"refuse\"\n\
    [tenants.attacker]\nfolders = [\"attacker\"]\n\
    [tenants.victim]\nfolders = [\"victim\"]\n";

const VICTIM: &str = "name = \"work\"\ntenant = \"victim\"\n\
    [sources.ids]\nkind = \"file\"\npath = \"in.csv\"\nschema = { id = \"i64\" }\n\
    [sinks.out]\nkind = \"file\"\npath = \"out.jsonl\"\n";

impl Arena {
    pub(super) fn make(name: &str, program: &Path, target: Target) -> io::Result<Arena> {
        let root = std::env::temp_dir().join(format!("weir-redteam-{}-{name}", std::process::id()));
        let arena = Arena { root, program: program.to_owned(), target };
        for folder in ["attacker", "victim", "run"] {
            fs::create_dir_all(arena.root.join(folder))?;
        }
        fs::write(arena.root.join("limits.toml"), LIMITS)?;
        fs::write(arena.root.join("victim/work.toml"), VICTIM)?;
        let mut input = String::from("id\n");
        for id in 0..VICTIM_RECORDS {
            writeln!(input, "{id}").map_err(io::Error::other)?;
        }
        fs::write(arena.root.join("victim/in.csv"), input)?;
        Ok(arena)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the attacker's folder.
    pub(super) fn attacker(&self, name: &str) -> PathBuf {
        self.root.join("attacker").join(name)
    }

    /// Writes a file into the attacker's folder.
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        fs::write(self.attacker(name), bytes)
    }

    /// Adds a query of the attacker's: `name.toml`, with this text after its name and tenant.
    pub(super) fn query(&self, name: &str, text: &str) -> io::Result<()> {
        self.write(&format!("{name}.toml"), format!("name = \"{name}\"\ntenant = \"attacker\"\n{text}"))
    }

    /// A good file of this format, written by the program itself.
    pub(super) fn generated(&self, suffix: &str) -> io::Result<PathBuf> {
        let folder = self.root.join("run");
        let text = format!(
            "name = \"seed\"\n[sources.seed]\nkind = \"generator\"\nbatches = 2\n[sinks.out]\nkind = \"file\"\npath = \"seed.{suffix}\"\n\
             if_exists = \"replace\"\n"
        );
        fs::write(folder.join("seed.toml"), text)?;
        let mut command = self.command();
        let ran = command.current_dir(&folder).args(["run", "seed.toml"]).output()?;
        if !ran.status.success() {
            return Err(io::Error::other(format!("no seed: {}", String::from_utf8_lossy(&ran.stderr))));
        }
        Ok(folder.join(format!("seed.{suffix}")))
    }

    /// The name of the first function of a module in the attacker's folder, as the program itself tells it.
    pub(super) fn function_of(&self, module: &str) -> io::Result<String> {
        let told = self.command().args(["--json", "inspect"]).arg(self.attacker(module)).output()?;
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).map_err(io::Error::other)?;
        let name = told["functions"][0]["name"].as_str();
        name.map(str::to_owned).ok_or_else(|| io::Error::other(format!("{module} has no function")))
    }

    /// The program, with nothing of this machine's in its environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("WEIR_CODE_CACHE", "none").env("WEIR_RUNTIME_DIR", self.root.join("run"));
        command
    }

    /// All query files, the attacker's first.
    pub(super) fn queries(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(self.root.join("attacker"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|suffix| suffix == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.push(self.root.join("victim/work.toml"));
        Ok(paths)
    }

    /// Whether the victim's output has its name, which it gets when it is whole.
    pub(super) fn victim_is_done(&self) -> bool {
        self.root.join("victim/out.jsonl").is_file()
    }

    /// Whether the victim's output is right.
    pub(super) fn victim(&self) -> Result<(), String> {
        let path = self.root.join("victim/out.jsonl");
        let text = fs::read_to_string(path).map_err(|error| format!("its output: {error}"))?;
        let mut lines = 0;
        for (id, line) in (0..VICTIM_RECORDS).zip(text.lines()) {
            if line != format!("{{\"id\":{id}}}") {
                return Err(format!("line {id} of its output is {:?}", line.chars().take(80).collect::<String>()));
            }
            lines += 1;
        }
        match text.lines().count() as u64 {
            VICTIM_RECORDS if lines == VICTIM_RECORDS => Ok(()),
            found => Err(format!("{found} of {VICTIM_RECORDS} records came out")),
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // What cannot be removed lies among the temporary files.
        drop(fs::remove_dir_all(&self.root));
    }
}
