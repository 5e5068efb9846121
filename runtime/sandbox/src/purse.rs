//! What a guest has left to pay host functions with.

use weir_abi::Status;

/// Why a host function did not do what it was asked.
pub(crate) enum Stop {
    /// It refuses.
    Status(Status),
    /// The guest cannot pay for it.
    Fuel,
}

impl From<Status> for Stop {
    fn from(status: Status) -> Stop {
        Stop::Status(status)
    }
}

/// What the guest has left while a host function works for it. Whatever a function does in proportion to one of its
/// arguments (look, copy, allocate) it is paid for here first, so that a guest without fuel gets nothing done.
pub(crate) struct Purse {
    left: u64,
    spent: u64,
}

impl Purse {
    pub(crate) fn new(left: u64) -> Purse {
        Purse { left, spent: 0 }
    }

    /// What was paid.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// Takes a cost off what is left, where there is as much.
    #[inline(always)]
    pub(crate) fn pay(&mut self, cost: u64) -> Result<(), Stop> {
        self.left = self.left.checked_sub(cost).ok_or(Stop::Fuel)?;
        self.spent = self.spent.saturating_add(cost);
        Ok(())
    }
}
