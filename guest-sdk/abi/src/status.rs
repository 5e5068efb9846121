//! Status codes of host functions.

/// An error of a host function, returned as a negative `i32`. Zero and above are results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// The column, output field, metric or parameter index is out of range.
    BadIndex = -1,
    /// The row, or the last row of the range, is out of range.
    BadRow = -2,
    /// The column, field or parameter has another type than the function reads or writes.
    BadType = -3,
    /// The memory range is not inside of the guest's memory.
    BadPointer = -4,
    /// A count, length or offset does not match the others.
    BadLength = -5,
    /// The series does not exist.
    BadHandle = -6,
    /// Text is not valid UTF-8.
    BadUtf8 = -7,
    /// The value is not allowed: a NaN, a negative increment of a counter, an unknown level, or a null in a field that is not
    /// nullable.
    BadValue = -8,
    /// A limit of the tenant was reached.
    Limit = -9,
    /// The call is not allowed now: outside of a batch, or after output of an incompatible kind.
    BadState = -10,
}

impl Status {
    /// All statuses, in the order of their codes.
    pub const ALL: [Status; 10] = [
        Status::BadIndex,
        Status::BadRow,
        Status::BadType,
        Status::BadPointer,
        Status::BadLength,
        Status::BadHandle,
        Status::BadUtf8,
        Status::BadValue,
        Status::Limit,
        Status::BadState,
    ];

    /// The code in the ABI.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this code, if there is one.
    pub fn from_code(code: i32) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Status::BadIndex => "bad index",
            Status::BadRow => "bad row",
            Status::BadType => "bad type",
            Status::BadPointer => "bad pointer",
            Status::BadLength => "bad length",
            Status::BadHandle => "bad handle",
            Status::BadUtf8 => "bad UTF-8",
            Status::BadValue => "bad value",
            Status::Limit => "limit reached",
            Status::BadState => "not allowed now",
        }
    }
}
