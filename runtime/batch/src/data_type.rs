//! The types of a batch's columns.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{self as arrow_types, TimeUnit};

/// The types of fields. Timestamps are microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// True or false.
    Bool,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// IEEE 754 double.
    F64,
    /// UTF-8 text, at most 2 GiB per column and batch.
    Utf8,
    /// Bytes, at most 2 GiB per column and batch.
    Binary,
    /// Microseconds since the Unix epoch, UTC.
    Timestamp,
}

impl DataType {
    /// Every type.
    pub const ALL: [DataType; 9] = [
        DataType::Bool,
        DataType::I8,
        DataType::I16,
        DataType::I32,
        DataType::I64,
        DataType::F64,
        DataType::Utf8,
        DataType::Binary,
        DataType::Timestamp,
    ];

    /// The names of all types, for messages.
    pub const NAMES: &'static str = "bool, i8, i16, i32, i64, f64, utf8, binary, timestamp";

    /// The name in query files and manifests.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::Bool => "bool",
            DataType::I8 => "i8",
            DataType::I16 => "i16",
            DataType::I32 => "i32",
            DataType::I64 => "i64",
            DataType::F64 => "f64",
            DataType::Utf8 => "utf8",
            DataType::Binary => "binary",
            DataType::Timestamp => "timestamp",
        }
    }

    /// The narrowest type that holds the values of both: integers the wider one, and beside `f64` an `f64`. Of a field that
    /// is read so, an `i64` that no `f64` holds is a bad value.
    pub const fn widened(self, other: DataType) -> Option<DataType> {
        match (self.integer_bits(), other.integer_bits()) {
            (Some(one), Some(two)) => Some(if one < two { other } else { self }),
            (Some(_), None) if matches!(other, DataType::F64) => Some(other),
            (None, Some(_)) if matches!(self, DataType::F64) => Some(self),
            _ if self as u8 == other as u8 => Some(self),
            _ => None,
        }
    }

    /// Whether values of this type can be read as the other type without changing their value.
    pub fn widens_to(self, other: DataType) -> bool {
        self.widened(other) == Some(other)
    }

    const fn integer_bits(self) -> Option<u32> {
        match self {
            DataType::I8 => Some(8),
            DataType::I16 => Some(16),
            DataType::I32 => Some(32),
            DataType::I64 => Some(64),
            _ => None,
        }
    }

    /// The Arrow type of a column.
    pub const fn to_arrow(self) -> arrow_types::DataType {
        match self {
            DataType::Bool => arrow_types::DataType::Boolean,
            DataType::I8 => arrow_types::DataType::Int8,
            DataType::I16 => arrow_types::DataType::Int16,
            DataType::I32 => arrow_types::DataType::Int32,
            DataType::I64 => arrow_types::DataType::Int64,
            DataType::F64 => arrow_types::DataType::Float64,
            DataType::Utf8 => arrow_types::DataType::Utf8,
            DataType::Binary => arrow_types::DataType::Binary,
            DataType::Timestamp => arrow_types::DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// Bytes of one value in the guest interface; `None` for text and bytes. A bool is one byte there.
    pub const fn width(self) -> Option<usize> {
        match self {
            DataType::Bool | DataType::I8 => Some(1),
            DataType::I16 => Some(2),
            DataType::I32 => Some(4),
            DataType::I64 | DataType::F64 | DataType::Timestamp => Some(8),
            DataType::Utf8 | DataType::Binary => None,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DataType {
    type Err = String;

    fn from_str(name: &str) -> Result<DataType, String> {
        DataType::ALL
            .into_iter()
            .find(|data_type| data_type.name() == name)
            .ok_or_else(|| format!("unknown type `{}`: use one of {}", weir_text::escape_to(name, 80), DataType::NAMES))
    }
}

/// The unit of a number in a `timestamp` field of a text format, counted from 1970-01-01T00:00:00Z. Records always hold
/// microseconds: finer values are rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimestampUnit {
    /// Every unit.
    pub const ALL: [TimestampUnit; 4] =
        [TimestampUnit::Seconds, TimestampUnit::Millis, TimestampUnit::Micros, TimestampUnit::Nanos];

    /// The name in query files: `ms` in `timestamp(ms)`.
    pub const fn name(self) -> &'static str {
        match self {
            TimestampUnit::Seconds => "s",
            TimestampUnit::Millis => "ms",
            TimestampUnit::Micros => "us",
            TimestampUnit::Nanos => "ns",
        }
    }

    /// The power of ten that converts such a number to microseconds.
    pub const fn micros_exponent(self) -> i64 {
        match self {
            TimestampUnit::Seconds => 6,
            TimestampUnit::Millis => 3,
            TimestampUnit::Micros => 0,
            TimestampUnit::Nanos => -3,
        }
    }
}
