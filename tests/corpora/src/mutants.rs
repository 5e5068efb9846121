//! The example guests, mutated with sense and without.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasm_mutate::WasmMutate;
use wasmparser::{Operator, Parser, Payload};
use weir_abi::MANIFEST_SECTION;
use weir_sandbox::{Limits, Outcome};

use crate::Rng;
use crate::sections::{append_custom, split_manifest};
use crate::trial::{Sandbox, SetupError};

/// The guests that answer whatever they are given.
const GUESTS: [&str; 5] = ["flights", "seed", "nexmark", "faulty", "echo"];

/// What wasm-mutate may spend on one mutation before it gives up.
const FUEL: u64 = 300;

/// The example guests, and what their functions answer.
pub struct Guests(Vec<Guest>);

struct Guest {
    name: &'static str,
    whole: Vec<u8>,
    bare: Vec<u8>,
    manifest: Vec<u8>,
    // Of each call, in the order of `Sandbox::try_module`.
    answers: Vec<(String, Result<Outcome, &'static str>)>,
}

/// A mutant, and which guest it was.
pub struct Mutant {
    guest: usize,
    /// The module.
    pub bytes: Vec<u8>,
}

/// Limits under which a guest that does the same at other cost does the same.
pub fn ample_limits() -> Limits {
    Limits::default().with(|it| {
        it.deadline_ms_max = 10_000;
        it.deadline_init_ms_max = 10_000;
        it.trap_pause_ms_max = 0;
    })
}

impl Guests {
    /// Reads the guests, and asks them for their answers.
    ///
    /// # Errors
    ///
    /// Where they are not built, or one of them does not answer.
    pub fn load(sandbox: &Sandbox) -> Result<Guests, SetupError> {
        let mut guests = Vec::new();
        for name in GUESTS {
            let wrong = |reason: &str| SetupError::Guest { name, reason: reason.to_owned() };
            let whole = weir_tests::guest_module(name)?;
            let (bare, manifest) = split_manifest(&whole).ok_or_else(|| wrong("it has no manifest"))?;
            let trial = sandbox.try_module(&whole, &ample_limits(), None);
            if trial.refused.is_some() || trial.calls.is_empty() || trial.calls.iter().any(|(_, end)| end.is_err()) {
                return Err(wrong("one of its functions does not answer"));
            }
            guests.push(Guest { name, whole, bare, manifest, answers: trial.calls });
        }
        Ok(Guests(guests))
    }

    /// A guest, mutated one to three times by wasm-mutate, its manifest kept most of the time: always where the mutant
    /// is to do the same as the guest. `None` where wasm-mutate makes nothing of it.
    pub fn mutant(&self, preserve_semantics: bool, rng: &mut Rng) -> Option<Mutant> {
        let index = rng.below(self.0.len());
        let guest = &self.0[index];
        let keep = preserve_semantics || !rng.one_in(4);
        let mut bytes = if keep { guest.bare.clone() } else { guest.whole.clone() };
        let mut mutations = 0;
        let wanted = 1 + rng.below(3);
        for _ in 0..4 * wanted {
            let mutated = mutate(&bytes, preserve_semantics, rng);
            if let Some(mutated) = mutated.filter(|mutated| !preserve_semantics || !repeats_effects(&bytes, mutated)) {
                bytes = mutated;
                mutations += 1;
            }
            if mutations == wanted {
                break;
            }
        }
        if mutations == 0 {
            return None;
        }
        if keep {
            bytes = append_custom(&bytes, MANIFEST_SECTION, &guest.manifest);
        }
        Some(Mutant { guest: index, bytes })
    }

    /// What a mutant that should do the same as its guest does otherwise.
    pub fn disagreements(&self, mutant: &Mutant, calls: &[(String, Result<Outcome, &'static str>)]) -> Vec<String> {
        let Some(guest) = self.0.get(mutant.guest) else { return Vec::new() };
        if calls.len() != guest.answers.len() {
            return vec![format!("{}: {} calls instead of {}", guest.name, calls.len(), guest.answers.len())];
        }
        let pairs = guest.answers.iter().zip(calls);
        let differs = pairs.filter_map(|((name, expected), (_, found))| {
            let what = match (expected, found) {
                (Ok(expected), Ok(found)) => difference(expected, found)?.to_owned(),
                (_, Err(code)) => format!("it ends with {code}"),
                (Err(_), Ok(_)) => return None,
            };
            Some(format!("{}: a mutant that should do the same does not in `{name}`: {what}", guest.name))
        });
        differs.collect()
    }

    /// A guest with bits flipped, bytes overwritten, cut off, left out, said twice or taken from another guest.
    pub fn damaged(&self, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = rng.pick(&self.0).whole.clone();
        for _ in 0..1 + rng.below(4) {
            damage(&mut bytes, &rng.pick(&self.0).whole, rng);
        }
        bytes
    }
}

fn mutate(bytes: &[u8], preserve_semantics: bool, rng: &mut Rng) -> Option<Vec<u8>> {
    let (seed, which) = (rng.next_u64(), rng.below(3));
    // wasm-mutate has assertions of its own, which are no concern of the sandbox's.
    let mutated = catch_unwind(AssertUnwindSafe(|| {
        let mut mutate = WasmMutate::default();
        mutate.seed(seed).fuel(FUEL).preserve_semantics(preserve_semantics);
        let mut mutants = mutate.run(bytes).ok()?;
        // The first of them where there are not as many.
        let first = mutants.next()?.ok();
        mutants.take(which).filter_map(Result::ok).last().or(first)
    }));
    mutated.ok().flatten()
}

/// Whether a mutant does something more often than before, and no block or loop is new that it could be in.
///
/// wasm-mutate takes `x` for `x & x`, `x | x` and the like where it preserves semantics, also where `x` calls a
/// function: `alloc()` becomes `alloc() & alloc()`, which is another pointer. What it repeats where it unrolls a loop
/// stands in a new block.
fn repeats_effects(before: &[u8], after: &[u8]) -> bool {
    match (Effects::of(before), Effects::of(after)) {
        (Some(before), Some(after)) => after.effects > before.effects && after.blocks <= before.blocks,
        _ => true,
    }
}

#[derive(Default)]
struct Effects {
    effects: usize,
    blocks: usize,
}

impl Effects {
    fn of(module: &[u8]) -> Option<Effects> {
        let mut counted = Effects::default();
        for payload in Parser::new(0).parse_all(module) {
            let Payload::CodeSectionEntry(body) = payload.ok()? else { continue };
            for operator in body.get_operators_reader().ok()? {
                match operator.ok()? {
                    Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::MemoryGrow { .. } => {
                        counted.effects += 1;
                    }
                    Operator::Block { .. } | Operator::Loop { .. } => counted.blocks += 1,
                    _ => {}
                }
            }
        }
        Some(counted)
    }
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let from = rng.below(bytes.len());
    let most = if rng.one_in(4) { 4_096 } else { 16 };
    let length = 1 + rng.below(most);
    let to = from.saturating_add(length).min(bytes.len());
    match rng.below(12) {
        0..=4 => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte ^= 1 << rng.below(8);
            }
        }
        5 | 6 => {
            let random = rng.bytes(to - from);
            bytes[from..to].copy_from_slice(&random);
        }
        7 => bytes.truncate(from),
        8 => {
            bytes.drain(from..to);
        }
        9 => {
            let again = bytes[from..to].to_vec();
            bytes.splice(from..from, again);
        }
        _ => {
            let start = rng.below(other.len());
            let piece = &other[start..start.saturating_add(to - from).min(other.len())];
            bytes.splice(from..to, piece.iter().copied());
        }
    }
}

/// In what two answers differ, but for what they cost.
fn difference(expected: &Outcome, found: &Outcome) -> Option<&'static str> {
    let same_rows = match (expected.output.to_arrow(), found.output.to_arrow()) {
        (Ok(expected), Ok(found)) => expected == found,
        _ => false,
    };
    if !same_rows {
        return Some("other output");
    }
    if expected.failed != found.failed || expected.filtered != found.filtered {
        return Some("other rows fail or are filtered");
    }
    if expected.metrics != found.metrics {
        return Some("other metrics");
    }
    (expected.logs != found.logs).then_some("other log lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_that_does_something_else_is_seen() {
        let sandbox = Sandbox::new().unwrap();
        let guests = Guests::load(&sandbox).unwrap();
        let guest = GUESTS.iter().position(|name| *name == "seed").unwrap();
        let mutant = Mutant { guest, bytes: guests.0[guest].whole.clone() };
        let mut calls = sandbox.try_module(&mutant.bytes, &ample_limits(), None).calls;
        assert_eq!(guests.disagreements(&mutant, &calls), [""; 0]);
        let first = calls[0].1.as_mut().unwrap();
        first.output = first.output.slice(0, 10).unwrap();
        calls[1].1 = Err("unreachable");
        let found = guests.disagreements(&mutant, &calls);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].ends_with("other output") && found[1].ends_with("it ends with unreachable"), "{found:?}");
        calls.pop();
        assert_eq!(guests.disagreements(&mutant, &calls).len(), 1);
    }

    #[test]
    fn a_call_that_is_made_twice_is_not_the_same() {
        let module = |body: &str| {
            let text = format!("(module (func $f (result i32) (i32.const 1)) (func (result i32) {body}))");
            let buffer = wast::parser::ParseBuffer::new(&text).unwrap();
            wast::parser::parse::<wast::Wat<'_>>(&buffer).unwrap().encode().unwrap()
        };
        let once = module("(call $f)");
        assert!(repeats_effects(&once, &module("(i32.and (call $f) (call $f))")));
        assert!(!repeats_effects(&once, &module("(i32.and (call $f) (i32.const -1))")));
        assert!(!repeats_effects(&once, &module("(block (drop (call $f))) (call $f)")));
    }
}
