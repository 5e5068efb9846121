//! Guests that call the host as they like: any function, in any order, with any arguments, out of any bytes.

use arbitrary::{Result, Unstructured};
use wasm_encoder::ValType;
use weir_sandbox::{IMPORTS, Import};

use crate::KINDS;

/// Calls of one phase, at most.
const STEPS_MAX: usize = 32;

/// A guest to be, as [`crate::host_module`] assembles it.
#[derive(Clone, Debug)]
pub struct HostProgram {
    /// The kind of function.
    pub kind: &'static str,
    /// Whether it may fail rows.
    pub fallible: bool,
    /// What it does at instantiation.
    pub start: Vec<Step>,
    /// What it does in init.
    pub init: Vec<Step>,
    /// What it does with a batch.
    pub batch: Vec<Step>,
    /// Whether it then answers for the rows that it has not answered for yet.
    pub finish: bool,
    /// What it returns.
    pub result: i32,
    /// What lies at address 0.
    pub data: Vec<u8>,
}

/// One thing that a guest does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Calls a host function this number of times.
    Call {
        /// Index into [`IMPORTS`].
        import: usize,
        /// An argument for each parameter.
        arguments: Vec<Argument>,
        /// How often.
        times: u16,
    },
    /// Asks for this number of pages of memory.
    Grow(u8),
    /// Stores a number.
    Store {
        /// Where.
        pointer: i32,
        /// What.
        value: i32,
    },
    /// Gives up.
    Unreachable,
}

/// An argument of a host call.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// A number.
    Number(i32),
    /// The rows of the batch, and this number more.
    Rows(i8),
    /// What one of the last four calls answered.
    Answer(u8),
    /// A double.
    Double(f64),
}

/// What the parameters of each import mean, a letter each: `b` a column of bools, `i` of integers, `d` of doubles, `t`
/// of text or bytes, `c` any column, `w` one of fixed width; `r` a row, `n` a count, `p` a pointer, `l` a length, `f`
/// an output field, `m` a metric, `s` a series, `q` a param, `I` one that is an integer, `D` one that is a double, `v`
/// a level, `x` any number, `F` a double.
const MEANINGS: [(&str, &str); 24] = [
    ("get_bool", "br"),
    ("get_i64", "ir"),
    ("get_f64", "dr"),
    ("get_bytes", "trpl"),
    ("is_null", "cr"),
    ("validity_word", "cr"),
    ("window", "wrnp"),
    ("window_bytes", "trnppl"),
    ("window_validity", "crnp"),
    ("emit_filter", "pn"),
    ("emit_parents", "pn"),
    ("emit_column", "fpnp"),
    ("emit_bytes", "fpnplp"),
    ("row_error", "rxpl"),
    ("metric_series", "mpl"),
    ("metric_record", "sF"),
    ("metric_record_many", "ppn"),
    ("metric_record_column", "spn"),
    ("metric_record_input", "scrn"),
    ("param_i64", "I"),
    ("param_f64", "D"),
    ("param_bytes", "qpl"),
    ("log", "vpl"),
    ("last_words", "pl"),
];

/// Addresses at which something lies, and those around the end of memory.
const POINTERS: [i32; 20] =
    [0, 8, 256, 257, 512, 520, 640, 648, 768, 772, 1024, 1100, 4096, 8192, 32768, 65528, 65535, 65536, 65537, -1];

impl HostProgram {
    /// The program that these bytes stand for; any bytes do.
    pub fn of(bytes: &[u8]) -> HostProgram {
        let mut source = Unstructured::new(bytes);
        // Where the bytes are used up, the rest is zeros: there is always a program.
        HostProgram::choose(&mut source).unwrap_or_else(|_| HostProgram {
            kind: KINDS[0],
            fallible: false,
            start: Vec::new(),
            init: Vec::new(),
            batch: Vec::new(),
            finish: true,
            result: 0,
            data: Vec::new(),
        })
    }

    fn choose(source: &mut Unstructured<'_>) -> Result<HostProgram> {
        Ok(HostProgram {
            kind: source.choose(&KINDS)?,
            fallible: source.arbitrary()?,
            finish: !source.ratio(1, 8)?,
            result: if source.ratio(1, 16)? { source.arbitrary()? } else { 0 },
            start: if source.ratio(1, 16)? { steps(source, 4)? } else { Vec::new() },
            init: if source.ratio(1, 4)? { steps(source, 8)? } else { Vec::new() },
            batch: steps(source, STEPS_MAX)?,
            data: {
                let length = source.int_in_range(0..=64)?.min(source.len());
                source.bytes(length)?.to_vec()
            },
        })
    }

    /// The names of the functions that it calls.
    pub fn calls(&self) -> impl Iterator<Item = &'static str> {
        self.start.iter().chain(&self.init).chain(&self.batch).filter_map(|step| match step {
            Step::Call { import, .. } => IMPORTS.get(*import).map(|import| import.name),
            _ => None,
        })
    }
}

fn steps(source: &mut Unstructured<'_>, most: usize) -> Result<Vec<Step>> {
    let count = source.int_in_range(0..=most)?;
    let mut steps = Vec::with_capacity(count);
    for _ in 0..count {
        if source.is_empty() {
            break;
        }
        steps.push(step(source)?);
    }
    Ok(steps)
}

fn step(source: &mut Unstructured<'_>) -> Result<Step> {
    match source.int_in_range(0..=63_u8)? {
        0 => return Ok(Step::Grow(source.arbitrary()?)),
        1 => return Ok(Step::Unreachable),
        2 | 3 => return Ok(Step::Store { pointer: *source.choose(&POINTERS)?, value: source.arbitrary()? }),
        _ => {}
    }
    let import = source.choose_index(IMPORTS.len())?;
    let meanings = MEANINGS.iter().find(|(name, _)| *name == IMPORTS[import].name).map_or("", |found| found.1);
    // Functions that answer with a bare value end the guest for a wrong argument: for them it is rarer, or little else
    // would ever happen.
    let ends = matches!(meanings.as_bytes(), [b'b' | b'i' | b'd' | b'c', b'r'] | [b'I' | b'D']);
    let wild = if ends { 100 } else { 16 };
    let arguments = meanings.chars().map(|meaning| argument(source, meaning, wild)).collect::<Result<_>>()?;
    let times = if source.ratio(1, 64)? { source.arbitrary()? } else { 1 };
    Ok(Step::Call { import, arguments, times })
}

fn argument(source: &mut Unstructured<'_>, meaning: char, wild: u8) -> Result<Argument> {
    if meaning == 'F' {
        let doubles = [0.0, 1.0, 2.5, -1.0, f64::NAN, f64::INFINITY, f64::MAX, -0.0];
        let any = source.ratio(1, 8)?;
        return Ok(Argument::Double(if any { source.arbitrary()? } else { *source.choose(&doubles)? }));
    }
    // What is meant by no one, now and then.
    if source.ratio(1, wild)? {
        return Ok(if source.arbitrary()? {
            Argument::Number(*source.choose(&[-1, i32::MIN, i32::MAX, 1 << 30, 1 << 16])?)
        } else {
            Argument::Number(source.arbitrary()?)
        });
    }
    let number = |source: &mut Unstructured<'_>, most: i32| Ok(Argument::Number(source.int_in_range(0..=most)?));
    // The columns of `host_batch`, in their order: bool, five of integers, f64, utf8, binary.
    match meaning {
        'b' => Ok(Argument::Number(0)),
        'i' => Ok(Argument::Number(source.int_in_range(1..=5)?)),
        'd' => Ok(Argument::Number(6)),
        't' => Ok(Argument::Number(source.int_in_range(7..=8)?)),
        'w' => number(source, 6),
        'c' => number(source, 8),
        'n' if source.ratio(1, 4)? => Ok(Argument::Rows(*source.choose(&[0, 0, 0, -1, -1, 1, -2, -64])?)),
        // The last rows of the batch, and of two thirds of it.
        'r' if source.ratio(1, 8)? => Ok(Argument::Rows(*source.choose(&[-1, -2, -63, -64, -65])?)),
        'r' => number(source, 130),
        'I' => Ok(Argument::Number(*source.choose(&[0, 3])?)),
        'D' => Ok(Argument::Number(1)),
        'n' => number(source, 140),
        'p' => Ok(Argument::Number(*source.choose(&POINTERS)?)),
        'l' => number(source, 200),
        's' if source.ratio(3, 4)? => Ok(Argument::Answer(source.arbitrary()?)),
        'f' | 'm' | 's' | 'q' | 'v' => number(source, 4),
        _ => Ok(Argument::Number(source.arbitrary()?)),
    }
}

/// An import's type.
pub(crate) fn signature(import: &Import) -> (Vec<ValType>, ValType) {
    let value = |name: &str| match name {
        "i64" => ValType::I64,
        "f64" => ValType::F64,
        _ => ValType::I32,
    };
    let text = import.to_string();
    let (params, result) = text.split_once(") -> ").unwrap_or((&text, "i32"));
    let params = params.trim_start_matches('(').split(", ").filter(|name| !name.is_empty()).map(value).collect();
    (params, value(result))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Rng;

    #[test]
    fn every_parameter_of_every_import_means_something() {
        for import in IMPORTS {
            let meanings = MEANINGS.iter().find(|(name, _)| *name == import.name).unwrap().1;
            assert_eq!(meanings.len(), signature(import).0.len(), "{}", import.name);
        }
        assert_eq!(MEANINGS.len(), IMPORTS.len());
    }

    #[test]
    fn every_import_is_called_by_some() {
        let mut called = BTreeSet::new();
        for index in 0..100 {
            called.extend(HostProgram::of(&Rng::of(1, "host", index).bytes(512)).calls());
        }
        assert_eq!(called.len(), IMPORTS.len(), "{called:?}");
    }
}
