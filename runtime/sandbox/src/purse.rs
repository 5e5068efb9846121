//! The fuel with which a guest pays for host functions.

use weir_abi::Status;

/// Why a host function did not do what was requested.
pub(crate) enum Stop {
    /// It refused.
    Status(Status),
    /// The guest has too little fuel.
    Fuel,
}

impl From<Status> for Stop {
    fn from(status: Status) -> Stop {
        Stop::Status(status)
    }
}

/// The guest's fuel during a host function. Work in proportion to an argument (checking, copying, allocating) is paid for here in
/// advance, so that a guest without fuel causes no work.
pub(crate) struct Purse {
    left: u64,
    spent: u64,
}

impl Purse {
    pub(crate) fn new(left: u64) -> Purse {
        Purse { left, spent: 0 }
    }

    /// The amount that was paid.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// Pays a cost, if there is enough fuel.
    #[inline(always)]
    pub(crate) fn pay(&mut self, cost: u64) -> Result<(), Stop> {
        self.left = self.left.checked_sub(cost).ok_or(Stop::Fuel)?;
        self.spent = self.spent.saturating_add(cost);
        Ok(())
    }
}
