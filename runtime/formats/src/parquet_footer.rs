//! Checks the footer of a Parquet file before the library parses it.

use std::fs::File;
use std::os::unix::fs::FileExt;

use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::budget::{EXPANDED_BYTES_MAX, METADATA_BYTES_MAX, SCHEMA_DEPTH_MAX, corrupt, within};
use super::thrift::{Cursor, ThriftFault, ThriftKind};
use super::{Format, FormatError};

/// The footer's length and the magic bytes.
const TAIL_BYTES: u64 = 8;
/// The memory for a schema element and its column, without names.
const ELEMENT_BYTES: u64 = 1024;
/// The memory for one name in a column's path.
const NAME_BYTES: u64 = 24;

const REMEDY: &str = "write it with fewer columns or larger row groups";

/// Reads the footer of a file of this length.
pub(super) fn read(file: &File, length: u64) -> Result<ParquetMetaData, FormatError> {
    let mut tail = [0; TAIL_BYTES as usize];
    // The magic bytes also occur at the beginning of the file.
    let start = length.checked_sub(TAIL_BYTES).filter(|&start| start >= 4);
    let start = start.ok_or_else(|| corrupt(Format::Parquet, format!("{length} bytes are too few")))?;
    file.read_exact_at(&mut tail, start)?;
    let [a, b, c, d, magic @ ..] = tail;
    match &magic {
        b"PAR1" => {}
        b"PARE" => return Err(corrupt(Format::Parquet, "its footer is encrypted, which is not supported")),
        _ => return Err(corrupt(Format::Parquet, "it does not end with `PAR1`")),
    }
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = start.checked_sub(footer).filter(|&start| start >= 4) else {
        return Err(corrupt(Format::Parquet, format!("a footer of {footer} bytes in a file of {length}")));
    };
    within(Format::Parquet, "its footer", footer, METADATA_BYTES_MAX, REMEDY)?;
    let mut bytes = vec![0; footer as usize]; // at most METADATA_BYTES_MAX
    file.read_exact_at(&mut bytes, start)?;
    check(&bytes)?;
    ParquetMetaDataReader::decode_metadata(&bytes).map_err(FormatError::read_parquet)
}

/// Checks that the library can parse this footer within the memory limit: it recurses into the schema, and allocates lists by their
/// stated lengths.
fn check(footer: &[u8]) -> Result<(), FormatError> {
    let mut cursor = Cursor::new(footer);
    let mut schema = SchemaTree::default();
    walk(&mut cursor, &mut schema).map_err(|fault| {
        let reason = match fault {
            ThriftFault::Short => "its footer ends early",
            ThriftFault::Invalid(reason) => reason,
        };
        corrupt(Format::Parquet, reason)
    })?;
    let memory = cursor.memory.saturating_add(schema.memory);
    within(Format::Parquet, "the metadata in its footer", memory, EXPANDED_BYTES_MAX, REMEDY)
}

fn walk(cursor: &mut Cursor<'_>, schema: &mut SchemaTree) -> Result<(), ThriftFault> {
    let mut last = 0;
    while let Some(field) = cursor.field(last)? {
        last = field.id;
        match (field.id, field.kind) {
            (2, ThriftKind::List) => {
                let list = cursor.list()?;
                for _ in 0..list.length {
                    if list.kind != ThriftKind::Struct {
                        return Err(ThriftFault::Invalid("its schema is not a list of structures"));
                    }
                    let (name_bytes, children) = element(cursor)?;
                    schema.add(name_bytes, children)?;
                }
            }
            (_, kind) => cursor.skip(kind)?,
        }
    }
    Ok(())
}

/// Reads a schema element: the length of its name, and the number of its children.
fn element(cursor: &mut Cursor<'_>) -> Result<(u64, i32), ThriftFault> {
    let (mut last, mut name_bytes, mut children) = (0, 0, 0);
    while let Some(field) = cursor.field(last)? {
        last = field.id;
        match (field.id, field.kind) {
            (4, ThriftKind::Binary) => name_bytes = cursor.binary()?.len() as u64,
            (5, ThriftKind::Integer) => children = cursor.integer32()?,
            (_, kind) => cursor.skip(kind)?,
        }
    }
    Ok((name_bytes, children))
}

/// The tree in a list of schema elements, in which parents precede their children.
#[derive(Default)]
struct SchemaTree {
    // For each open group: the number of remaining children, and the size of the path to it.
    open: Vec<(i32, u64)>,
    memory: u64,
}

impl SchemaTree {
    fn add(&mut self, name_bytes: u64, children: i32) -> Result<(), ThriftFault> {
        let path = self.open.last().map_or(0, |(_, path)| *path);
        let path = path.saturating_add(name_bytes).saturating_add(NAME_BYTES);
        // Every column stores its path, so long names of outer groups are copied for each column.
        self.memory = self.memory.saturating_add(ELEMENT_BYTES).saturating_add(path);
        if let Some((left, _)) = self.open.last_mut() {
            *left -= 1;
        }
        if children < 0 {
            return Err(ThriftFault::Invalid("a group with a negative number of columns"));
        }
        if children > 0 {
            if self.open.len() >= SCHEMA_DEPTH_MAX {
                return Err(ThriftFault::Invalid("its schema is nested deeper than 64"));
            }
            self.open.push((children, path));
        }
        while self.open.last().is_some_and(|(left, _)| *left == 0) {
            self.open.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_elements(elements: &[(u64, i32)]) -> Result<u64, ThriftFault> {
        let mut tree = SchemaTree::default();
        elements.iter().try_for_each(|&(name, children)| tree.add(name, children))?;
        Ok(tree.memory)
    }

    #[test]
    fn depth_and_paths_are_limited() {
        assert!(of_elements(&[(6, 2), (1, 0), (1, 0)]).unwrap() < 10_000);
        assert_eq!(of_elements(&[(1, 1); 100]), Err(ThriftFault::Invalid("its schema is nested deeper than 64")));
        // Siblings do not add depth.
        assert!(of_elements(&[&[(1, 1_000)][..], &[(1, 1), (1, 0)].repeat(1_000)].concat()).is_ok());
        // A group with a name of a megabyte, which each of its thousand columns stores.
        assert!(of_elements(&[&[(1, 1), (1 << 20, 1_000)][..], &[(1, 0); 1_000]].concat()).unwrap() > 1_000 << 20);
    }
}
