//! The corpora, and how many modules of each there are to be.

use crate::Rng;
use crate::dress::dress;
use crate::host_calls::HostProgram;
use crate::host_module::host_module;
use crate::manifest_text::with_manifest;
use crate::mutants::{Guests, Mutant};
use crate::smith::{smith_fitted, smith_plain};
use crate::spec::{SpecKind, SpecModule};

/// Where modules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Corpus {
    /// The official suite, as it is.
    Spec,
    /// The suite's valid modules, made to fit the contract.
    SpecDressed,
    /// wasm-smith with everything allowed.
    Smith,
    /// wasm-smith within the contract.
    SmithFitted,
    /// Sequences of host calls.
    HostCalls,
    /// The example guests, mutated to do the same.
    MutantsSame,
    /// The example guests, mutated to do something else.
    Mutants,
    /// The example guests with other bytes.
    Damaged,
}

/// A module of a corpus.
pub struct Item {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What its corpus says of it.
    pub kind: Option<&'static str>,
    /// The guest with which it has to agree.
    pub mutant: Option<Mutant>,
}

/// What corpora are made from.
pub struct Sources {
    /// The suite, where it is asked for.
    pub spec: Vec<SpecModule>,
    /// The example guests, where they are asked for.
    pub guests: Option<Guests>,
}

impl Corpus {
    /// Every corpus.
    pub const ALL: [Corpus; 8] = [
        Corpus::Spec,
        Corpus::SpecDressed,
        Corpus::Smith,
        Corpus::SmithFitted,
        Corpus::HostCalls,
        Corpus::MutantsSame,
        Corpus::Mutants,
        Corpus::Damaged,
    ];

    /// The name in commands and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Corpus::Spec => "spec",
            Corpus::SpecDressed => "spec_dressed",
            Corpus::Smith => "smith",
            Corpus::SmithFitted => "smith_fitted",
            Corpus::HostCalls => "host_calls",
            Corpus::MutantsSame => "mutants_same",
            Corpus::Mutants => "mutants",
            Corpus::Damaged => "damaged",
        }
    }

    /// The corpus of this name.
    pub fn from_name(name: &str) -> Option<Corpus> {
        Corpus::ALL.into_iter().find(|corpus| corpus.name() == name)
    }

    /// How often its turn comes, beside the others: less often where modules take long to compile, and as often for the
    /// suite's two, which have the same items, of which a third are valid.
    pub const fn weight(self) -> u64 {
        match self {
            Corpus::Spec => 25,
            Corpus::SpecDressed => 25,
            Corpus::Smith => 17,
            Corpus::SmithFitted => 20,
            Corpus::HostCalls => 10,
            Corpus::MutantsSame => 4,
            Corpus::Mutants => 6,
            Corpus::Damaged => 10,
        }
    }

    /// Whether it is made from the official suite.
    pub const fn needs_spec(self) -> bool {
        matches!(self, Corpus::Spec | Corpus::SpecDressed)
    }

    /// Whether it is made from the example guests.
    pub const fn needs_guests(self) -> bool {
        matches!(self, Corpus::MutantsSame | Corpus::Mutants | Corpus::Damaged)
    }

    /// How many items it has, where that is a number.
    pub fn len(self, sources: &Sources) -> Option<u64> {
        self.needs_spec().then_some(sources.spec.len() as u64)
    }

    /// The item of this index under this seed, always the same. `None` where the generator makes none.
    pub fn item(self, sources: &Sources, seed: u64, index: u64) -> Option<Item> {
        let mut rng = Rng::of(seed, self.name(), index);
        let plain = |bytes| Item { bytes, kind: None, mutant: None };
        match self {
            Corpus::Spec => {
                let module = spec_module(sources, index)?;
                Some(Item { bytes: module.bytes.clone(), kind: Some(module.kind.name()), mutant: None })
            }
            Corpus::SpecDressed => {
                let module = spec_module(sources, index)?;
                if !matches!(module.kind, SpecKind::Text | SpecKind::Binary | SpecKind::Unusable) {
                    return None;
                }
                let dressed = with_manifest(&dress(&module.bytes)?, Some("metrics"), &mut rng);
                Some(Item { bytes: dressed, kind: Some(module.kind.name()), mutant: None })
            }
            Corpus::Smith => smith_plain(&mut rng).map(plain),
            Corpus::SmithFitted => smith_fitted(&mut rng).map(plain),
            Corpus::HostCalls => Some(plain(host_module(&HostProgram::of(&rng.bytes(512))))),
            Corpus::MutantsSame => {
                let mutant = sources.guests.as_ref()?.mutant(true, &mut rng)?;
                Some(Item { bytes: mutant.bytes.clone(), kind: None, mutant: Some(mutant) })
            }
            Corpus::Mutants => sources.guests.as_ref()?.mutant(false, &mut rng).map(|mutant| plain(mutant.bytes)),
            Corpus::Damaged => sources.guests.as_ref().map(|guests| plain(guests.damaged(&mut rng))),
        }
    }
}

/// Each module of the suite once before any comes again, the first ones from all over it.
fn spec_module(sources: &Sources, index: u64) -> Option<&SpecModule> {
    // A prime that does not divide any number of modules there can be: it is larger than they are.
    const STEP: u64 = 1_000_003;
    let count = sources.spec.len() as u64;
    let place = index.checked_rem(count)?.wrapping_mul(STEP) % count;
    sources.spec.get(usize::try_from(place).ok()?)
}
