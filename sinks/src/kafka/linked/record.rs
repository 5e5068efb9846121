//! A record on its way out, and how large it is.

use rdkafka::message::Headers;
use rdkafka::producer::BaseRecord;

/// A record on its way out. librdkafka copies it.
pub(super) type Record<'a> = BaseRecord<'a, [u8], [u8]>;

/// A batch of format 2 without its records (<https://kafka.apache.org/documentation/#recordbatch>).
const BATCH_HEADER_BYTES: u64 = 61;

/// Bytes of key, value and headers.
pub(super) fn content_bytes(record: &Record<'_>) -> u64 {
    let mut bytes = record.payload.map_or(0, <[u8]>::len) + record.key.map_or(0, <[u8]>::len);
    for header in record.headers.iter().flat_map(|headers| headers.as_borrowed().iter()) {
        bytes += header.key.len() + header.value.map_or(0, <[u8]>::len);
    }
    bytes as u64
}

/// What the record takes as the only one of a batch: the smallest that a broker can be sent.
pub(super) fn batch_bytes(record: &Record<'_>) -> u64 {
    let field = |bytes: Option<usize>| match bytes {
        Some(bytes) => varint_bytes(bytes as u64) + bytes as u64,
        // A length of -1.
        None => 1,
    };
    let mut count = 0_u64;
    let mut headers = 0_u64;
    for header in record.headers.iter().flat_map(|headers| headers.as_borrowed().iter()) {
        count += 1;
        headers += field(Some(header.key.len())) + field(header.value.map(<[u8]>::len));
    }
    // Attributes, and the differences of time and offset from the batch's, which are 0 for the first.
    let body =
        3 + field(record.key.map(<[u8]>::len)) + field(record.payload.map(<[u8]>::len)) + varint_bytes(count) + headers;
    BATCH_HEADER_BYTES + varint_bytes(body) + body
}

/// How many bytes a number that is not negative takes in zigzag form, seven bits each.
fn varint_bytes(number: u64) -> u64 {
    let bits = 64 - (number << 1).leading_zeros();
    u64::from(bits.max(1).div_ceil(7))
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header, OwnedHeaders};

    use super::*;

    #[test]
    fn numbers_take_a_byte_for_seven_bits() {
        let bytes: Vec<u64> = [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576].map(varint_bytes).to_vec();
        assert_eq!(bytes, [1, 1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn records_are_measured_as_a_batch_of_one() {
        let empty: Record<'_> = Record::to("t");
        // Length, attributes, two differences, no key, no value, no headers.
        assert_eq!(batch_bytes(&empty), 61 + 1 + 3 + 1 + 1 + 1);
        let headers = OwnedHeaders::new().insert(Header { key: "h", value: Some("vv") });
        let mut record: Record<'_> = Record::to("t").headers(headers.insert(Header::<&str> { key: "n", value: None }));
        record.key = Some(b"");
        record.payload = Some(&[0; 100]);
        assert_eq!(batch_bytes(&record), 61 + 2 + 3 + 1 + 102 + 1 + 2 + 3 + 2 + 1);
    }
}
