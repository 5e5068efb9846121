//! The folder in which attackers and victim meet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use weir_hostile::Target;

use super::feed::FIFO;
use super::way::HostWay;

/// The folder of one attacker, beside the victim's and other attackers'. The whole ground is removed with its last arena.
pub(super) struct Arena {
    ground: Rc<GroundFolder>,
    program: PathBuf,
    /// The tenant whose folder this is.
    tenant: String,
    /// What modules are made to go just beyond.
    pub(super) target: Target,
}

struct GroundFolder(PathBuf);

/// The victim reads records from a pipe as they come, and writes them to a file.
const VICTIM: &str = "name = \"work\"\ntenant = \"victim\"\n\
    [sources.ids]\nkind = \"file\"\npath = \"in\"\nformat = \"csv\"\nschema = { id = \"i64\" }\n\
    [sinks.out]\nkind = \"file\"\npath = \"out.jsonl\"\n";

/// It works without pause, so that its share of CPU time shows.
const HUNGRY: &str = "tenant = \"victim\"\n\
    [sources.seed]\nkind = \"generator\"\nbatches = 1000000000000\n\
    [[stages]]\nname = \"busy\"\nmodule = \"busy.wasm\"\nfunction = \"busy\"\n\
    [sinks.out]\nkind = \"count\"\n";

/// A filter that keeps every row after some ten milliseconds of work.
const BUSY_MANIFEST: &str =
    r#"{"abi":1,"name":"busy","kind":"transform","output_shape":"filter","input":[{"name":"id","type":"i64"}]}"#;
const BUSY: &str = r#"(memory (export "memory") 1)
(func (export "weir_call_busy") (param $rows i32) (result i32)
  (local $i i32)
  (local.set $i (i32.const 20000000))
  (loop $again (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
  (memory.fill (i32.const 0) (i32.const 255) (i32.const 1024))
  (call $emit_filter (i32.const 0) (local.get $rows)))"#;

pub(super) const OUT: &str = "[sinks.out]\nkind = \"count\"\n";

/// Makes a pipe that has a name.
pub(super) fn fifo(path: &Path) -> io::Result<()> {
    Ok(mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
}

/// The first attacker's tenant. Those of others begin alike.
const ATTACKER: &str = "attacker";

impl Arena {
    /// Lays out the victim's folder, and an empty one of the first attacker's.
    pub(super) fn make(name: &str, program: &Path, target: Target, way: HostWay) -> io::Result<Arena> {
        let root = std::env::temp_dir().join(format!("weir-redteam-{}-{name}", std::process::id()));
        let ground = Rc::new(GroundFolder(root));
        let arena = Arena { ground, program: program.to_owned(), tenant: ATTACKER.to_owned(), target };
        for folder in [ATTACKER, "victim", "run"] {
            fs::create_dir_all(arena.root().join(folder))?;
        }
        let victim = arena.root().join("victim");
        fs::write(victim.join("work.toml"), VICTIM)?;
        fifo(&victim.join(FIFO))?;
        if way == HostWay::Workers {
            fs::write(victim.join("busy.wasm"), crate::guest::wasm(BUSY_MANIFEST, BUSY))?;
            // Twice as many as cores: while one hands its batch on, another one runs.
            for number in 0..2 * crate::process::cores() {
                let text = format!("name = \"hungry-{number}\"\n{HUNGRY}");
                fs::write(victim.join(format!("hungry-{number}.toml")), text)?;
            }
        }
        Ok(arena)
    }

    /// The folder of another attacker, a tenant of its own.
    pub(super) fn another(&self, number: usize) -> io::Result<Arena> {
        let (program, tenant) = (self.program.clone(), format!("{ATTACKER}-{number}"));
        let arena = Arena { ground: Rc::clone(&self.ground), program, tenant, target: self.target };
        fs::create_dir_all(arena.root().join(&arena.tenant))?;
        Ok(arena)
    }

    pub(super) fn root(&self) -> &Path {
        &self.ground.0
    }

    /// A path in the attacker's folder.
    pub(super) fn attacker(&self, name: &str) -> PathBuf {
        self.root().join(&self.tenant).join(name)
    }

    /// Writes a file into the attacker's folder.
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        fs::write(self.attacker(name), bytes)
    }

    /// Adds a query of the attacker's: `name.toml`, with this text after its name and tenant.
    pub(super) fn query(&self, name: &str, text: &str) -> io::Result<()> {
        let tenant = &self.tenant;
        self.write(&format!("{name}.toml"), format!("name = \"{name}\"\ntenant = \"{tenant}\"\n{text}"))
    }

    /// A good file of this format, written by the program itself.
    pub(super) fn generated(&self, suffix: &str) -> io::Result<PathBuf> {
        let folder = self.root().join("run");
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

    /// The name of the first function of a module in the attacker's folder, as the program itself reports it.
    pub(super) fn function_of(&self, module: &str) -> io::Result<String> {
        let told = self.command().args(["--json", "inspect"]).arg(self.attacker(module)).output()?;
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).map_err(io::Error::other)?;
        let name = told["functions"][0]["name"].as_str();
        name.map(str::to_owned).ok_or_else(|| io::Error::other(format!("{module} has no function")))
    }

    /// The program, with nothing of this machine's in its environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("WEIR_CODE_CACHE", "none").env("WEIR_RUNTIME_DIR", self.root().join("run"));
        command
    }

    /// The attackers' tenants.
    pub(super) fn attackers(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root())? {
            names.extend(entry?.file_name().into_string().into_iter().filter(|name| name.starts_with(ATTACKER)));
        }
        // One that only lent its folder to others has no query.
        names.retain(|name| fs::read_dir(self.root().join(name)).is_ok_and(|files| files.count() > 0));
        names.sort();
        Ok(names)
    }

    /// Writes the limits file, in which each tenant has its folder and no other.
    pub(super) fn write_limits(&self) -> io::Result<()> {
        let mut text = "unknown_tenants = \"refuse\"\n".to_owned();
        for tenant in self.attackers()?.iter().map(String::as_str).chain(["victim"]) {
            // Deadlines end guests, not fuel: that takes the time of the attack.
            text.push_str(&format!("[tenants.{tenant}]\nfolders = [\"{tenant}\"]\nfuel_batch_max = \"none\"\n"));
        }
        fs::write(self.root().join("limits.toml"), text)
    }

    /// All query files, the attackers' first.
    pub(super) fn queries(&self) -> io::Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        for tenant in self.attackers()?.into_iter().chain(["victim".to_owned()]) {
            let mut paths = Vec::new();
            for entry in fs::read_dir(self.root().join(tenant))? {
                let path = entry?.path();
                if path.extension().is_some_and(|suffix| suffix == "toml") {
                    paths.push(path);
                }
            }
            paths.sort();
            all.append(&mut paths);
        }
        Ok(all)
    }

    /// The pipe that the victim reads.
    pub(super) fn victim_input(&self) -> PathBuf {
        self.root().join("victim").join(FIFO)
    }

    /// Whether the victim's output has its name, which it gets when it is complete.
    pub(super) fn victim_is_done(&self) -> bool {
        self.root().join("victim/out.jsonl").is_file()
    }

    /// Compares the victim's output with the `records` that it was given.
    pub(super) fn victim(&self, records: u64) -> Result<(), String> {
        let path = self.root().join("victim/out.jsonl");
        let text = fs::read_to_string(path).map_err(|error| format!("its output: {error}"))?;
        let mut lines = 0;
        for (id, line) in (0..records).zip(text.lines()) {
            if line != format!("{{\"id\":{id}}}") {
                return Err(format!("line {id} of its output is {:?}", line.chars().take(80).collect::<String>()));
            }
            lines += 1;
        }
        match text.lines().count() as u64 {
            found if found == records && lines == records => Ok(()),
            found => Err(format!("{found} of {records} records came out")),
        }
    }
}

impl Drop for GroundFolder {
    fn drop(&mut self) {
        // What cannot be removed lies among the temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}
