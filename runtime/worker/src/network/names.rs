//! Addresses that stand for names.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest name of a host (RFC 1035).
const NAME_BYTES_MAX: usize = 253;

/// Names of one process. Each takes 300 bytes at most; a cluster has some dozen.
const NAMES_MAX: usize = 4_096;

/// 240.0.0.0/4 is reserved (RFC 1112), and no connector lets a tenant reach it unless it is listed.
const STANDS_V4: u32 = 0xf000_0000;

/// 100::/64 is where packets are discarded (RFC 6666).
const STANDS_V6: u128 = 0x0100 << 112;

/// The kind of address that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    Any,
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAddress {
    /// It is no name of a host.
    NoName,
    /// It is an address of the other kind.
    OtherFamily,
    /// There are too many names.
    Full,
}

/// The names that were asked for, and the address that stands for each. A number is never given to another name.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Names {
    /// The address that stands for this name, or the address that it is.
    pub(super) fn address_of(&self, name: &str, family: Family) -> Result<IpAddr, NoAddress> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return match (address, family) {
                (IpAddr::V4(_), Family::V6) | (IpAddr::V6(_), Family::V4) => Err(NoAddress::OtherFamily),
                _ => Ok(address),
            };
        }
        let is_illegal = |c: char| c.is_control() || c.is_whitespace();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(is_illegal) {
            return Err(NoAddress::NoName);
        }
        let number = self.number(name)?;
        Ok(match family {
            Family::V4 | Family::Any => Ipv4Addr::from(STANDS_V4 + number).into(),
            Family::V6 => Ipv6Addr::from(STANDS_V6 + u128::from(number)).into(),
        })
    }

    fn number(&self, name: &str) -> Result<u32, NoAddress> {
        let mut table = self.table();
        if let Some(number) = table.numbers.get(name) {
            return Ok(*number);
        }
        if table.names.len() >= NAMES_MAX {
            return Err(NoAddress::Full);
        }
        let name: Arc<str> = name.into();
        table.names.push(Arc::clone(&name));
        let number = u32::try_from(table.names.len()).map_err(|_| NoAddress::Full)?;
        table.numbers.insert(name, number);
        Ok(number)
    }

    /// The name that an address stands for.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<Arc<str>> {
        let number = match address {
            IpAddr::V4(address) => u32::from(address).checked_sub(STANDS_V4)?,
            IpAddr::V6(address) => u32::try_from(u128::from(address).checked_sub(STANDS_V6)?).ok()?,
        };
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.table().names.get(index).map(Arc::clone)
    }

    /// What the connector is asked for: a name, or the address as text.
    pub(super) fn host_of(&self, address: IpAddr) -> Arc<str> {
        self.name_of(address).unwrap_or_else(|| address.to_string().into())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is complete: a name is pushed before its number is known.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
