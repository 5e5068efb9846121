//! Torn and damaged files: an error, never a panic, and never silence.

use std::sync::Arc;

use proptest::prelude::*;
use weir_batch::Batch;
use weir_batch::arrow::array::{Int64Array, StringArray};
use weir_batch::format::{Format, FormatError};

use crate::support::{decode, encode, schema};

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
