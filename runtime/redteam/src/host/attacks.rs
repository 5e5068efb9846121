//! The attacks on the host: one function each, which lays out the attacker's folder.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use super::arena::{Arena, OUT, fifo};
use super::attack::{Expectation, HostAttack};
use super::bombs::{burn, hoarded};

/// Every attack on the host.
pub const HOST_ATTACKS: &[HostAttack] = &[
    attack("H1", "host_deep_json", "a line of JSON nested 30,000 deep", Expectation::Says("nest"), deep_json),
    attack(
        "H2",
        "host_damaged_parquet",
        "Parquet files with lengths overwritten",
        Expectation::Contained,
        damaged_parquet,
    ),
    attack("H2", "host_damaged_arrow", "Arrow files with lengths overwritten", Expectation::Contained, damaged_arrow),
    HostAttack {
        stops: true,
        may_end: true,
        ..attack(
            "H3",
            "host_hoard",
            "batches of 64 MiB that wait for a guest",
            Expectation::Says("stage burn"),
            hoarded,
        )
    },
    attack("H4", "host_quotes", "half a megabyte of quotes in CSV", Expectation::Contained, quotes),
    attack("H4", "host_keys", "80,000 keys in one object of JSON, inferred", Expectation::Contained, keys),
    attack("H4", "host_long_line", "a line of 64 MB", Expectation::Contained, long_line),
    HostAttack {
        stops: true,
        ..attack("H5", "host_fifos", "600 pipes that nobody writes to", Expectation::Contained, fifos)
    },
    attack("H5", "host_devices", "sources that are devices and folders", Expectation::Says("attacker"), devices),
    HostAttack {
        unread: true,
        stops: true,
        ..attack("H6", "host_unread", "output and warnings that nobody reads", Expectation::Contained, unread)
    },
    HostAttack {
        stops: true,
        ..attack(
            "H7",
            "host_burning",
            "a guest that uses all of its time for each record",
            Expectation::Says(" trap"),
            burning,
        )
    },
    attack("H8", "host_links", "links in the state folder to the victim's output", Expectation::Contained, links),
    attack("H9", "host_states", "damaged, torn and enormous state", Expectation::Says("manifest"), states),
    attack("H10", "host_names", "names of files with control characters", Expectation::Contained, names),
    HostAttack {
        stops: true,
        ..attack("H15", "host_five_at_once", "five attackers beside one victim", Expectation::Contained, five)
    },
];

const fn attack(
    row: &'static str,
    name: &'static str,
    title: &'static str,
    expected: Expectation,
    arrange: fn(&Arena) -> io::Result<()>,
) -> HostAttack {
    HostAttack { row, name, title, expected, stops: false, unread: false, may_end: false, arrange }
}

/// Copies of a file that are overwritten.
const DAMAGED_FILES: usize = 24;

fn deep_json(arena: &Arena) -> io::Result<()> {
    let line = format!("{{\"name\":{}{}}}\n", "[".repeat(30_000), "]".repeat(30_000));
    arena.write("deep.jsonl", line)?;
    let source = "[sources.in]\nkind = \"file\"\npath = \"deep.jsonl\"\nschema = { name = \"utf8?\" }\n";
    arena.query("deep", &format!("{source}{OUT}"))
}

fn damaged_parquet(arena: &Arena) -> io::Result<()> {
    damaged(arena, "parquet")
}

fn damaged_arrow(arena: &Arena) -> io::Result<()> {
    damaged(arena, "arrow")
}

/// Copies of a good file, each with eight bytes overwritten by a huge length, the last ones of its end, where formats keep
/// their indexes.
fn damaged(arena: &Arena, suffix: &str) -> io::Result<()> {
    let good = fs::read(arena.generated(suffix)?)?;
    // A sequence of its own (Knuth's multiplier), so that every run attacks alike.
    let mut state = 1_u64;
    for number in 0..DAMAGED_FILES {
        let mut bytes = good.clone();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let window = if number % 2 == 0 { bytes.len() } else { bytes.len().min(1024) };
        let at = bytes.len() - window + usize::try_from(state >> 33).unwrap_or(0) % window.saturating_sub(8).max(1);
        let length: u64 = [1 << 35, u64::MAX, 1 << 31, 0x7fff_ffff_7fff_ffff][number % 4];
        for (byte, new) in bytes.iter_mut().skip(at).zip(length.to_le_bytes()) {
            *byte = new;
        }
        let name = format!("damaged-{number}");
        arena.write(&format!("{name}.{suffix}"), bytes)?;
        arena.query(&name, &format!("[sources.in]\nkind = \"file\"\npath = \"{name}.{suffix}\"\n{OUT}"))?;
    }
    Ok(())
}

fn quotes(arena: &Arena) -> io::Result<()> {
    arena.write("quotes.csv", format!("n,m\n{}", "x\",\"".repeat(125_000)))?;
    let source = "[sources.in]\nkind = \"file\"\npath = \"quotes.csv\"\nschema = { n = \"utf8\", m = \"utf8\" }\non_error = \"skip\"\n";
    arena.query("quotes", &format!("{source}{OUT}"))
}

fn keys(arena: &Arena) -> io::Result<()> {
    let mut line = String::from("{\"k\":0");
    for key in 0..80_000 {
        write!(line, ",\"k{key}\":{key}").map_err(io::Error::other)?;
    }
    arena.write("keys.jsonl", format!("{line}}}\n"))?;
    arena.query("keys", &format!("[sources.in]\nkind = \"file\"\npath = \"keys.jsonl\"\ninfer = true\n{OUT}"))
}

fn long_line(arena: &Arena) -> io::Result<()> {
    arena.write("long.jsonl", format!("{{\"s\":\"{}\"}}\n{{\"s\":\"short\"}}\n", "x".repeat(64 << 20)))?;
    let source =
        "[sources.in]\nkind = \"file\"\npath = \"long.jsonl\"\nschema = { s = \"utf8\" }\non_error = \"skip\"\n";
    arena.query("long", &format!("{source}{OUT}"))
}

fn fifos(arena: &Arena) -> io::Result<()> {
    for query in 0..10 {
        let mut text = String::new();
        for number in 0..60 {
            let name = format!("pipe-{query}-{number}");
            fifo(&arena.attacker(&name))?;
            write!(text, "[sources.p{number}]\nkind = \"file\"\npath = \"{name}\"\nformat = \"csv\"\nschema = {{ n = \"i64\" }}\n")
                .map_err(io::Error::other)?;
        }
        arena.query(&format!("pipes-{query}"), &format!("{text}{OUT}"))?;
    }
    Ok(())
}

fn devices(arena: &Arena) -> io::Result<()> {
    for (number, path) in ["/dev/zero", "/proc/kmsg", "/dev/full", "."].into_iter().enumerate() {
        let source =
            format!("[sources.in]\nkind = \"file\"\npath = \"{path}\"\nformat = \"csv\"\nschema = {{ n = \"i64\" }}\n");
        arena.query(&format!("device-{number}"), &format!("{source}{OUT}"))?;
    }
    Ok(())
}

/// Records that do not decode, with a warning each, and rows for the standard output.
fn unread(arena: &Arena) -> io::Result<()> {
    let mut text = String::from("n\n");
    for number in 0..200_000 {
        text.push_str(if number % 2 == 0 { "bad\n" } else { "1\n" });
    }
    arena.write("rows.csv", text)?;
    let source = "[sources.in]\nkind = \"file\"\npath = \"rows.csv\"\nschema = { n = \"i64\" }\non_error = \"skip\"\n";
    arena.query("rows", &format!("{source}[sinks.out]\nkind = \"stdout\"\nformat = \"csv\"\n"))
}

/// Each record ends the guest by its deadline, and is narrowed to.
fn burning(arena: &Arena) -> io::Result<()> {
    let mut text = String::from("n,s,f\n");
    for number in 0..2_000 {
        writeln!(text, "{number},a,1.5").map_err(io::Error::other)?;
    }
    arena.write("rows.csv", text)?;
    let source =
        "[sources.in]\nkind = \"file\"\npath = \"rows.csv\"\nschema = { n = \"i64\", s = \"utf8\", f = \"f64\" }\n";
    let stage = burn(arena)?;
    // As many at once as there are cores, and one more: it wants the whole machine.
    for number in 0..=crate::process::cores() {
        arena.query(&format!("burn-{number}"), &format!("{source}{stage}{OUT}"))?;
    }
    Ok(())
}

/// Wherever the state's files could be written, a link to what is the victim's.
fn links(arena: &Arena) -> io::Result<()> {
    arena.write("rows.csv", "n\n1\n2\n")?;
    fs::create_dir(arena.attacker("state"))?;
    let target = arena.root().join("victim/out.jsonl");
    for name in ["manifest", "manifest.new", "manifest.tmp", "lock"] {
        symlink(&target, arena.attacker("state").join(name))?;
    }
    symlink(&target, arena.attacker("dead.jsonl"))?;
    symlink(arena.root().join("victim"), arena.attacker("elsewhere"))?;
    let source = "[sources.in]\nkind = \"file\"\npath = \"rows.csv\"\nschema = { n = \"i64\" }\n";
    let state = "[sinks.out]\nkind = \"file\"\npath = \"rows.out.csv\"\n[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\n";
    arena.query("links", &format!("{source}{state}"))?;
    arena.query("link-letters", &format!("{source}{OUT}[dead_letters]\npath = \"dead.jsonl\"\n"))?;
    arena.query(
        "link-folder",
        &format!("{source}[sinks.out]\nkind = \"file\"\npath = \"elsewhere/out.jsonl\"\nif_exists = \"replace\"\n"),
    )
}

fn states(arena: &Arena) -> io::Result<()> {
    arena.write("rows.csv", "n\n1\n2\n")?;
    let source = "[sources.in]\nkind = \"file\"\npath = \"rows.csv\"\nschema = { n = \"i64\" }\n";
    let manifests: [&[u8]; 4] = [b"", b"weir-manifest 99 00\n{}\n", b"weir-manifest 1 00\n{\"query\":", &[0xff; 4096]];
    for (number, manifest) in manifests.into_iter().enumerate() {
        let state = format!("state-{number}");
        fs::create_dir(arena.attacker(&state))?;
        arena.write(&format!("{state}/manifest"), manifest)?;
        let delivery = format!("[delivery]\nguarantee = \"exactly_once\"\nstate = \"{state}\"\n");
        let sink = format!("[sinks.out]\nkind = \"file\"\npath = \"out-{number}.csv\"\n");
        arena.query(&state, &format!("{source}{sink}{delivery}"))?;
    }
    // A terabyte that takes no room on the disk.
    fs::create_dir(arena.attacker("state-huge"))?;
    fs::File::create(arena.attacker("state-huge/manifest"))?.set_len(1 << 40)?;
    let delivery = "[sinks.out]\nkind = \"file\"\npath = \"out-huge.csv\"\n[delivery]\nguarantee = \"exactly_once\"\nstate = \"state-huge\"\n";
    arena.query("state-huge", &format!("{source}{delivery}"))
}

fn names(arena: &Arena) -> io::Result<()> {
    arena.write("rows.csv", "n\n1\n2\n")?;
    let source = "[sources.in]\nkind = \"file\"\npath = \"rows.csv\"\nschema = { n = \"i64\" }\n";
    for (number, name) in
        ["\\u001b[2Jclear", "line\\nbreak", "\\u202ertl", "../../victim/out.jsonl"].into_iter().enumerate()
    {
        let sink =
            format!("[sinks.out]\nkind = \"file\"\npath = \"{name}\"\nformat = \"csv\"\nif_exists = \"replace\"\n");
        arena.query(&format!("name-{number}"), &format!("{source}{sink}"))?;
    }
    Ok(())
}

fn five(arena: &Arena) -> io::Result<()> {
    for (number, arrange) in [deep_json, quotes, fifos, damaged_parquet, burning].into_iter().enumerate() {
        // Each a tenant of its own.
        arrange(&arena.another(number + 1)?)?;
    }
    Ok(())
}
