//! Which addresses a tenant may be connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// From `10.1.0.0/16`, `fd00::/8`, or one address.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(bits_max), |bits| bits.parse().ok())?;
        (bits <= bits_max).then_some(Network { address, bits })
    }

    fn has(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u32| {
            let shift = width.saturating_sub(self.bits);
            one.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => same(u32::from(one).into(), u32::from(other).into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.into(), other.into(), 128),
            _ => false,
        }
    }
}

/// What a tenant may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    is_public_allowed: bool,
    listed: Vec<Network>,
}

/// The word for every public address.
const PUBLIC: &str = "public";

impl Networks {
    /// From `public` and networks. The text that is neither comes back.
    pub(crate) fn parse(texts: &[String]) -> Result<Networks, &str> {
        let mut networks = Networks::default();
        for text in texts {
            match text.as_str() {
                PUBLIC => networks.is_public_allowed = true,
                _ => networks.listed.push(Network::parse(text).ok_or(text.as_str())?),
            }
        }
        Ok(networks)
    }

    /// What an address is that may not be reached. An IPv4 address in the form of IPv6 is what it is in its own form.
    pub(crate) fn denied(&self, address: IpAddr) -> Option<Kind> {
        let address = address.to_canonical();
        if self.listed.iter().any(|network| network.has(address)) {
            return None;
        }
        let kind = match address {
            IpAddr::V4(address) => kind_v4(address),
            IpAddr::V6(address) => kind_v6(address),
        };
        kind.or_else(|| (!self.is_public_allowed).then_some(Kind::Public))
    }
}

/// What an address is that may not be reached unless it is allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Loopback,
    LinkLocal,
    Private,
    Special,
    Public,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Loopback => "a loopback address",
            Kind::LinkLocal => "a link-local address",
            Kind::Private => "a private address",
            Kind::Special => "an address for special purposes",
            Kind::Public => "a public address",
        })
    }
}

/// By the registry of special-purpose addresses of IPv4 (RFC 6890 and its updates).
fn kind_v4(address: Ipv4Addr) -> Option<Kind> {
    let [one, two, three, _] = address.octets();
    match (one, two, three) {
        (127, ..) => Some(Kind::Loopback),
        (169, 254, _) => Some(Kind::LinkLocal),
        (10, ..) | (192, 168, _) | (172, 16..=31, _) | (100, 64..=127, _) => Some(Kind::Private),
        (0, ..)
        | (224..=255, ..)
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Some(Kind::Special),
        _ => None,
    }
}

/// Only global unicast addresses are public; forms that carry an address of IPv4 are not, whatever they carry.
fn kind_v6(address: Ipv6Addr) -> Option<Kind> {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Kind::Loopback),
        [0xfe80..=0xfebf, ..] => Some(Kind::LinkLocal),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some(Kind::Private),
        // Teredo and its neighbours, documentation, 6to4.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => {
            Some(Kind::Special)
        }
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Kind::Special),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached_by_default() {
        let public = Networks::parse(&["public".to_owned()]).unwrap();
        let kind = |text: &str| public.denied(text.parse().unwrap());
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert_eq!(kind(public), None, "{public}");
            assert_eq!(Networks::default().denied(public.parse().unwrap()), Some(Kind::Public), "{public}");
        }
        let check = |expected: Kind, all: &[&str]| {
            for text in all {
                assert_eq!(kind(text), Some(expected), "{text}");
            }
        };
        check(Kind::Loopback, &["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"]);
        check(Kind::LinkLocal, &["169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254"]);
        check(
            Kind::Private,
            &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00:ec2::254", "fec0::1"],
        );
        check(
            Kind::Special,
            &["0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "::", "::2", "::7f00:1"],
        );
        check(Kind::Special, &["2002:7f00:1::", "64:ff9b::7f00:1", "2001::1", "2001:db8::1", "ff02::1"]);
    }

    #[test]
    fn what_is_listed_is_reached() {
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let listed = texts(&["10.1.0.0/16", "127.0.0.1", "fd00::/8", "0.0.0.0/32"]);
        let networks = Networks::parse(&listed).unwrap();
        let kind = |text: &str| networks.denied(text.parse().unwrap());
        assert_eq!([kind("10.1.255.1"), kind("127.0.0.1"), kind("::ffff:10.1.0.1"), kind("fdff::1")], [None; 4]);
        assert_eq!(kind("10.2.0.1"), Some(Kind::Private));
        assert_eq!(kind("127.0.0.2"), Some(Kind::Loopback));
        assert_eq!(kind("1.1.1.1"), Some(Kind::Public));
        let everything = texts(&["0.0.0.0/0"]);
        assert_eq!(Networks::parse(&everything).unwrap().denied("10.0.0.1".parse().unwrap()), None);
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "kafka", "", "Public"] {
            assert_eq!(Networks::parse(&texts(&["public", text])), Err(text));
        }
    }
}
