//! What queries keep, from any bytes. The twins among the ordinary tests run the same.

use sha2::{Digest, Sha256};
use weir_state::{LetterLines, StateManifest};

/// Reads the bytes as a file of dead letters. Lines are numbered, no byte is left out, and a letter written again is the same letter.
pub fn letters(bytes: &[u8]) {
    let mut read = 0;
    for (number, entry) in LetterLines::new(bytes).enumerate() {
        let entry = entry.expect("memory can be read");
        assert_eq!(entry.number, number as u64);
        read += entry.bytes;
        match entry.letter {
            Ok(letter) => {
                let mut line = Vec::new();
                letter.write_line(&mut line).expect("what was read can be written");
                let again = LetterLines::new(line.as_slice()).next().expect("a line").expect("memory can be read");
                assert_eq!(again.letter.as_ref(), Ok(&letter));
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
    assert_eq!(read, bytes.len() as u64);
}

/// Reads the bytes as the state that a query keeps, with a correct checksum, as anyone who can write into the folder can make
/// it. What is read can be written, and is read again as the same.
pub fn kept_state(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_checksum(bytes)] {
        let Ok(state) = StateManifest::from_bytes(&bytes) else { continue };
        for source in &state.sources {
            assert!(state.positions(&source.source).iter().count() <= source.partitions.len());
        }
        let written = state.to_bytes().expect("what was read can be written");
        let again = StateManifest::from_bytes(&written).expect("what was written can be read");
        assert_eq!(StateManifest { written_by: state.written_by.clone(), ..again }, state);
    }
}

fn with_checksum(body: &[u8]) -> Vec<u8> {
    let checksum: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    [format!("weir-manifest 2 {checksum}\n").as_bytes(), body, b"\n"].concat()
}
