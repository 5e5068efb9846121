//! What a host function answers when it refuses.

/// A refusal, as the negative `i32` that a host function returns. Zero and above are answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// The column, output field, metric or parameter index is out of range.
    BadIndex = -1,
    /// The row, or the last row of the range, is out of range.
    BadRow = -2,
    /// The column, field or parameter has another type than the function called reads or writes.
    BadType = -3,
    /// The memory range does not lie within the guest's memory.
    BadPointer = -4,
    /// A count, a length or an offset disagrees with the others.
    BadLength = -5,
    /// No such series.
    BadHandle = -6,
    /// Bytes given as text are not UTF-8.
    BadUtf8 = -7,
    /// The value is not allowed: a NaN, a decreasing counter, an unknown level, a null where none may be.
    BadValue = -8,
    /// A limit of the tenant is reached.
    Limit = -9,
    /// The call is not allowed now: outside of a batch, or of a kind of output that excludes an earlier one.
    BadState = -10,
}

impl Status {
    /// Every status, in the order of their codes.
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

    /// The code as it crosses the border.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this code, where there is one.
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
