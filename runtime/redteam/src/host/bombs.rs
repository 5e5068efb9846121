//! Attacks on the memory of whoever reads files, and a guest that takes all the time it may.

use std::fs::File;
use std::io::{self, Write};

use weir_hostile::ATTACKS;

use super::arena::{Arena, OUT};

/// A line of this length is a record that may be read.
const LINE_BYTES: usize = 2 << 20;
const LINES: usize = 96;

/// Queries that read batches as large as their keys allow, for a stage that takes none of them in time.
pub(super) fn hoarded(arena: &Arena) -> io::Result<()> {
    let mut file = File::create(arena.attacker("wide.jsonl"))?;
    let line = format!("{{\"s\":\"{}\",\"n\":1,\"f\":1.5}}\n", "x".repeat(LINE_BYTES));
    for _ in 0..LINES {
        file.write_all(line.as_bytes())?;
    }
    drop(file);
    let burn = burn(arena)?;
    for number in 0..2 {
        let source = "[sources.in]\nkind = \"file\"\npath = \"wide.jsonl\"\nschema = { n = \"i64\", s = \"utf8\", f = \"f64\" }\n";
        let batches = "[batching]\nbytes_max = 67108864\n";
        arena.query(&format!("wide-{number}"), &format!("{source}{burn}{OUT}{batches}"))?;
    }
    Ok(())
}

/// Writes a guest that never returns into the attacker's folder, and gives the stage that calls it.
pub(super) fn burn(arena: &Arena) -> io::Result<String> {
    let attack = ATTACKS.iter().find(|attack| attack.name == "endless_loop");
    let attack = attack.ok_or_else(|| io::Error::other("the suite has no endless loop"))?;
    arena.write("burn.wasm", (attack.bytes)(&arena.target))?;
    let name = arena.function_of("burn.wasm")?;
    Ok(format!(
        "[[stages]]\nname = \"burn\"\nmodule = \"burn.wasm\"\nfunction = \"{name}\"\non_error = \"skip\"\n[stages.limits]\nfuel_batch_max = \"none\"\ndeadline_ms_max = 100\n"
    ))
}
