//! Torn and damaged files: an error, never a panic, and never silence.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use weir_batch::Batch;
use weir_batch::arrow::array::{Int64Array, StringArray};
use weir_formats::{Format, FormatError, infer, open_decoder};

use crate::seeds::{self, Seed};
use crate::support::{decode, encode, file, schema};

fn whole(format: Format) -> Vec<u8> {
    let schema = schema("delay i64, origin utf8?");
    let delay = Int64Array::from(vec![61, -5, 0]);
    let origin = StringArray::from(vec![Some("SEA"), None, Some("LAX")]);
    let batch = Batch::new(Arc::clone(&schema), vec![Arc::new(delay), Arc::new(origin)]).unwrap();
    encode(format, &schema, &[Arc::new(batch)]).unwrap()
}

#[test]
fn a_file_torn_at_any_byte_is_an_error() {
    for format in Format::ALL.into_iter().filter(|format| format.carries_schema()) {
        let bytes = whole(format);
        assert_eq!(decode(format, &bytes, None, 100).unwrap().rows().len(), 3);
        for length in 0..bytes.len() {
            match decode(format, &bytes[..length], None, 100).map(|read| read.rows()) {
                Err(FormatError::Corrupt { format: found, .. }) => assert_eq!(found, format),
                other => panic!("{format} torn at {length} of {}: {other:?}", bytes.len()),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever comes of damage, it is no panic, and no error of the disk.
    #[test]
    fn damage_is_survived(damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4)) {
        for format in Format::ALL {
            let mut bytes = whole(format);
            for (index, byte) in &damage {
                *index.get_mut(&mut bytes) = *byte;
            }
            let declared = (!format.carries_schema()).then(|| schema("delay i64, origin utf8?"));
            if let Err(error) = decode(format, &bytes, declared.as_ref(), 100).map(|_| ()) {
                prop_assert!(error.io().is_none(), "{}: {}", format, error);
            }
        }
    }

    #[test]
    fn noise_is_no_file(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL.into_iter().filter(|format| format.carries_schema()) {
            prop_assert!(decode(format, &bytes, None, 100).is_err());
        }
    }
}

/// How many damaged files of each format are read; a test of its own accord reads fewer.
const FILES: &str = "WEIR_DAMAGED";
const FILES_DEFAULT: u64 = 600;
/// Set in the process that reads them.
const READER: &str = "WEIR_DAMAGED_READER";
/// What that process may map, in KiB: an allocation by a length that nobody checked ends it.
const ADDRESSES_KIB: u64 = 1_800 * 1024;
/// What it may hold: the most that decompression may take, and what else a test takes.
const RESIDENT_KIB: u64 = 640 * 1024;
/// No file of a few kilobytes takes longer, on a machine that does other things as well.
const TIME_MAX: Duration = Duration::from_secs(20);

/// A row of numbers that is the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A place in the file, half of them near its end, where its description is.
    fn place(&mut self, bytes: &[u8]) -> usize {
        match self.below(2) {
            0 => self.below(bytes.len()),
            _ => bytes.len().saturating_sub(1 + self.below(bytes.len().min(3000))),
        }
    }

    /// A length that nobody expects.
    fn length(&mut self) -> i64 {
        match self.below(8) {
            0 => i64::from(i32::MAX),
            1 => i64::from(i32::MIN),
            2 => i64::MAX,
            3 => i64::MIN,
            4 => -1,
            5 => (1 << self.below(63)) - 1,
            _ => 1 << self.below(63),
        }
    }
}

/// One to three kinds of damage.
fn damage(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(3) {
        if bytes.len() < 16 {
            return;
        }
        let at = random.place(bytes);
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => {
                let length = random.length().to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&length[..width]);
            }
            // A number as Thrift writes it: seven bits a byte.
            3 => {
                let mut value = random.length().cast_unsigned();
                let mut varint = Vec::new();
                while value >= 0x80 {
                    varint.push(value as u8 | 0x80);
                    value >>= 7;
                }
                varint.push(value as u8);
                match random.below(2) {
                    0 => drop(bytes.splice(at..at + 1, varint)),
                    _ => bytes.iter_mut().skip(at).zip(varint).for_each(|(byte, with)| *byte = with),
                }
            }
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + 1 + random.below(64)).min(bytes.len()))),
            _ => {
                let from = random.below(other.len());
                let piece = &other[from..(from + 1 + random.below(256)).min(other.len())];
                let end = (at + if random.below(2) == 0 { piece.len() } else { 0 }).min(bytes.len());
                drop(bytes.splice(at..end, piece.iter().copied()));
            }
        }
    }
}

/// Reads a file to its end, or to where it is refused.
fn outcome(seed: &Seed, bytes: &[u8]) -> Result<&'static str, String> {
    drop(infer(seed.format, file(bytes), 100).map(|_| ()));
    let read = || -> Result<u64, FormatError> {
        let mut rows = 0;
        let mut decoder = open_decoder(seed.format, file(bytes), seed.declared.as_ref(), 1000)?;
        while let Some(decoded) = decoder.next()? {
            rows += (decoded.batch.rows() + decoded.bad.len()) as u64;
            if rows > 10_000_000 {
                break;
            }
        }
        Ok(rows)
    };
    match read() {
        Ok(rows) if rows > 10_000_000 => Err("rows without an end".to_owned()),
        Ok(_) => Ok("read"),
        Err(FormatError::TooLarge { .. }) => Ok("too large"),
        Err(error) if error.io().is_some() => Err(format!("an error of the disk: {error}")),
        Err(_) => Ok("refused"),
    }
}

/// The peak of this process's memory.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Reads damaged files where [`READER`] says so: see [`damaged_files_end_in_an_error`].
#[test]
fn reads_damaged_files() {
    let Ok(files) = std::env::var(READER) else { return };
    let files: u64 = files.parse().unwrap();
    // A panic that a decoder turns into an error is no news.
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = seeds::all();
    for format in [Format::ArrowIpc, Format::Parquet, Format::Bincode] {
        let seeds: Vec<&Seed> = seeds.iter().filter(|seed| seed.format == format).collect();
        let mut outcomes = BTreeMap::<&str, u64>::new();
        let mut slowest = Duration::ZERO;
        for number in 0..files {
            let mut random = Random((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let (seed, other) = (seeds[random.below(seeds.len())], seeds[random.below(seeds.len())]);
            let mut bytes = seed.bytes.clone();
            damage(&mut random, &mut bytes, &other.bytes);
            // What the parent reads where this process ends.
            println!("file {number} of {}", seed.name);
            let since = Instant::now();
            let outcome = outcome(seed, &bytes);
            let took = since.elapsed();
            slowest = slowest.max(took);
            match outcome {
                Ok(outcome) if took < TIME_MAX => *outcomes.entry(outcome).or_default() += 1,
                outcome => {
                    drop(std::panic::take_hook());
                    panic!("file {number} of {}, in {took:?}: {outcome:?}", seed.name);
                }
            }
        }
        eprintln!("{format}: {files} files, {outcomes:?}, the slowest in {slowest:?}, {} KiB", resident_kib());
    }
    drop(std::panic::take_hook());
    assert!(resident_kib() < RESIDENT_KIB, "{} KiB", resident_kib());
}

/// A process of its own reads them: what ends it is seen, and its memory is limited.
#[test]
fn damaged_files_end_in_an_error() {
    let files = std::env::var(FILES).map_or(FILES_DEFAULT, |files| files.parse().unwrap());
    let read = Command::new("sh")
        .args(["-c", &format!("ulimit -v {ADDRESSES_KIB}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "damaged::reads_damaged_files", "--nocapture", "--test-threads=1"])
        .env(READER, files.to_string())
        // One arena: the limit is of addresses.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    let last = stdout.lines().rfind(|line| line.starts_with("file ")).unwrap_or_default();
    assert!(
        read.status.success(),
        "{} at {last}:\n{stderr}\n{}",
        read.status,
        stdout.lines().last().unwrap_or_default()
    );
    eprintln!("{stderr}");
    assert!(stdout.contains(&format!("file {} of", files - 1)), "{stdout}");
}
