//! Walks Thrift's compact protocol, which Parquet uses for metadata, without allocating memory by stated sizes.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// The maximum nesting of structures and lists. Parquet's own structures nest 7 deep.
const DEPTH_MAX: usize = 24;

/// A field of a structure: its id and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldHeader {
    pub(super) id: i16,
    pub(super) kind: ThriftKind,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThriftKind {
    True,
    False,
    Byte,
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

/// Why the bytes are not valid Thrift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThriftFault {
    /// The bytes end too early, or a length points beyond their end.
    Short,
    /// The bytes are invalid, whatever follows.
    Invalid(&'static str),
}

/// The header of a list or set: the number of its elements, each of which has at least one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListHeader {
    pub(super) length: usize,
    pub(super) kind: ThriftKind,
}

/// A position in the bytes.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The memory that a reader may need for the skipped values: a rough upper estimate.
    pub(super) memory: u64,
}

/// The maximum memory of a parsed structure, without what it points to.
const STRUCT_BYTES: u64 = 256;
/// The memory of any other value.
const VALUE_BYTES: u64 = 24;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, position: 0, memory: 0 }
    }

    /// The number of bytes before the position.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    fn byte(&mut self) -> Result<u8, ThriftFault> {
        let byte = self.bytes.get(self.position).copied().ok_or(ThriftFault::Short)?;
        self.position += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ThriftFault> {
        let end = self.position.checked_add(length).ok_or(ThriftFault::Short)?;
        let taken = self.bytes.get(self.position..end).ok_or(ThriftFault::Short)?;
        self.position = end;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, ThriftFault> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ThriftFault::Invalid("a number with more than 64 bits"))
    }

    /// A signed number.
    pub(super) fn integer(&mut self) -> Result<i64, ThriftFault> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A signed number of 32 bits.
    pub(super) fn integer32(&mut self) -> Result<i32, ThriftFault> {
        i32::try_from(self.integer()?).map_err(|_| ThriftFault::Invalid("a number with more than 32 bits"))
    }

    /// Text or bytes.
    pub(super) fn binary(&mut self) -> Result<&'a [u8], ThriftFault> {
        let length = usize::try_from(self.varint()?).map_err(|_| ThriftFault::Short)?;
        self.take(length)
    }

    /// The next field of a structure, after the field with the id `last`; `None` at its end.
    pub(super) fn field(&mut self, last: i16) -> Result<Option<FieldHeader>, ThriftFault> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        let kind = kind(header & 0x0f)?;
        let id = match header >> 4 {
            0 => {
                i16::try_from(self.integer()?).map_err(|_| ThriftFault::Invalid("a field id with more than 16 bits"))?
            }
            delta => {
                last.checked_add(i16::from(delta)).ok_or(ThriftFault::Invalid("a field id with more than 16 bits"))?
            }
        };
        Ok(Some(FieldHeader { id, kind }))
    }

    /// The header of a list or set.
    pub(super) fn list(&mut self) -> Result<ListHeader, ThriftFault> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(ListHeader { length: 0, kind: ThriftKind::Byte });
        }
        let length = match header >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| ThriftFault::Short)?,
            length => usize::from(length),
        };
        if length > self.left() {
            return Err(ThriftFault::Short);
        }
        Ok(ListHeader { length, kind: kind(header & 0x0f)? })
    }

    /// Skips a value.
    pub(super) fn skip(&mut self, kind: ThriftKind) -> Result<(), ThriftFault> {
        self.skip_at(kind, 0)
    }

    fn skip_at(&mut self, kind: ThriftKind, depth: usize) -> Result<(), ThriftFault> {
        if depth > DEPTH_MAX {
            return Err(ThriftFault::Invalid("its metadata is nested too deeply"));
        }
        self.memory = self.memory.saturating_add(VALUE_BYTES);
        match kind {
            // The header of a field contains its boolean value; as an element of a list it is a byte: see `element`.
            ThriftKind::True | ThriftKind::False => {}
            ThriftKind::Byte => drop(self.byte()?),
            ThriftKind::Integer => drop(self.varint()?),
            ThriftKind::Double => drop(self.take(8)?),
            ThriftKind::Uuid => drop(self.take(16)?),
            ThriftKind::Binary => {
                let length = self.binary()?.len() as u64;
                self.memory = self.memory.saturating_add(length);
            }
            ThriftKind::Struct => {
                self.memory = self.memory.saturating_add(STRUCT_BYTES);
                let mut last = 0;
                while let Some(field) = self.field(last)? {
                    last = field.id;
                    self.skip_at(field.kind, depth + 1)?;
                }
            }
            ThriftKind::List => {
                let list = self.list()?;
                for _ in 0..list.length {
                    self.element(list.kind, depth + 1)?;
                }
            }
            ThriftKind::Map => {
                let length = usize::try_from(self.varint()?).map_err(|_| ThriftFault::Short)?;
                if length > self.left() {
                    return Err(ThriftFault::Short);
                }
                if length > 0 {
                    let kinds = self.byte()?;
                    let (key, value) = (self::kind(kinds >> 4)?, self::kind(kinds & 0x0f)?);
                    for _ in 0..length {
                        self.element(key, depth + 1)?;
                        self.element(value, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn element(&mut self, kind: ThriftKind, depth: usize) -> Result<(), ThriftFault> {
        match kind {
            ThriftKind::True | ThriftKind::False => self.skip_at(ThriftKind::Byte, depth),
            kind => self.skip_at(kind, depth),
        }
    }
}

fn kind(code: u8) -> Result<ThriftKind, ThriftFault> {
    Ok(match code {
        1 => ThriftKind::True,
        2 => ThriftKind::False,
        3 => ThriftKind::Byte,
        4..=6 => ThriftKind::Integer,
        7 => ThriftKind::Double,
        8 => ThriftKind::Binary,
        9 | 10 => ThriftKind::List,
        11 => ThriftKind::Map,
        12 => ThriftKind::Struct,
        13 => ThriftKind::Uuid,
        _ => return Err(ThriftFault::Invalid("a value of an unknown type")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(bytes: &[u8]) -> Result<usize, ThriftFault> {
        let mut cursor = Cursor::new(bytes);
        cursor.skip(ThriftKind::Struct).map(|()| cursor.position())
    }

    #[test]
    fn values_are_passed_over() {
        // Field 1 true, field 2 the number -1, field 3 "ab", field 5 a list of two numbers.
        let whole = [0x11, 0x15, 0x01, 0x18, 0x02, b'a', b'b', 0x29, 0x25, 0x02, 0x04, 0x00];
        assert_eq!(skipped(&whole), Ok(whole.len()));
        for length in 0..whole.len() {
            assert_eq!(skipped(&whole[..length]), Err(ThriftFault::Short), "{length}");
        }
    }

    #[test]
    fn lengths_are_not_trusted() {
        // A list of 2^31 structures, a text of 2^63 bytes, a number without an end, structures 100 deep.
        assert_eq!(skipped(&[0x19, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x08]), Err(ThriftFault::Short));
        assert_eq!(
            skipped(&[0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
            Err(ThriftFault::Short)
        );
        assert_eq!(skipped(&[0x15]), Err(ThriftFault::Short));
        assert_eq!(
            skipped(&[0x15, 0x80].iter().copied().chain([0x80; 12]).collect::<Vec<_>>()),
            Err(ThriftFault::Invalid("a number with more than 64 bits"))
        );
        assert_eq!(skipped(&[0x1c; 100]), Err(ThriftFault::Invalid("its metadata is nested too deeply")));
    }
}
