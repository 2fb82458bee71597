//! Which network addresses a node's request may be connected to.
//!
//! A policy entry names a host, but DNS says where its packets go, and whoever controls the name controls its DNS
//! response. So the host classifies every address after the one look-up and before the connection. It drops every
//! address that is not plainly a public unicast one: the host's own services, its neighbours, the cloud's metadata
//! service, and every notation that embeds an IPv4 address in an IPv6 one.
//!
//! | permit | addresses that pass |
//! | --- | --- |
//! | [`Permit::PublicOnly`] | those for which [`classify`] returns `None` |
//! | [`Permit::Literal`] | that one address, special or not: the policy entry is the address itself |
//! | [`Permit::PrivateAllowed`] | all but those that [hide an IPv4 address](Special::hides_ipv4) |
//!
//! [`AddressLists`] come on top: an engine's operator sets them for all nodes.
//!
//! The table follows the IANA special-purpose address registries (RFC 6890 and its successors) and adds the metadata
//! services of the large clouds, including Azure's, whose address looks public. IPv6 outside `2000::/3` is not assigned
//! as global unicast and counts as reserved. An address that does not show what it is, such as one in a NAT64 prefix
//! that a network chose for itself (RFC 6052), is not refused here. The table is written out because the standard
//! library's `is_global` is not stable and does not know metadata services.

mod lists;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::canonical::CanonicalUrl;

pub use lists::{AddressListError, AddressListMistake, AddressListProblem, AddressLists};

/// Why an address is not a public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Special {
    /// `0.0.0.0/8` and `::`, which many systems connect to themselves.
    Unspecified,
    /// `127.0.0.0/8` and `::1`.
    Loopback,
    /// RFC 1918.
    Private,
    /// `fc00::/7`, RFC 4193.
    UniqueLocal,
    /// `169.254.0.0/16` and `fe80::/10`.
    LinkLocal,
    /// `fec0::/10`, deprecated but still routed by some.
    SiteLocal,
    /// The metadata service, from which a cloud's machines get their credentials.
    Metadata,
    /// `100.64.0.0/10`, the carrier's side of a shared address, RFC 6598.
    CarrierGradeNat,
    /// `198.18.0.0/15` and `2001:2::/48`, RFC 2544.
    Benchmarking,
    /// Addresses for examples, RFC 5737, 3849 and 9637.
    Documentation,
    /// `224.0.0.0/4` and `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// `192.0.0.0/24`, `2001::/23` and others that the IETF reserves for protocols.
    Protocol,
    /// Unassigned, or reserved for the future.
    Reserved,
    /// `::ffff:0:0/96` and `::ffff:0:0:0/96`.
    MappedIpv4,
    /// `::/96`.
    CompatibleIpv4,
    /// `64:ff9b::/96` and `64:ff9b:1::/48`.
    Nat64,
    /// `2002::/16`, and the relays' `192.88.99.0/24`.
    SixToFour,
    /// `2001::/32`.
    Teredo,
}

impl Special {
    /// Whether packets to this address reach an IPv4 address inside it, which a translator or relay extracts. Such an
    /// address is refused even where private ones are allowed, since no legitimate name needs one.
    #[must_use]
    pub fn hides_ipv4(self) -> bool {
        matches!(
            self,
            Self::MappedIpv4 | Self::CompatibleIpv4 | Self::Nat64 | Self::SixToFour | Self::Teredo
        )
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "unique local",
            Self::LinkLocal => "link-local",
            Self::SiteLocal => "site-local",
            Self::Metadata => "cloud metadata",
            Self::CarrierGradeNat => "carrier-grade NAT",
            Self::Benchmarking => "benchmarking",
            Self::Documentation => "documentation",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Protocol => "protocol assignment",
            Self::Reserved => "reserved",
            Self::MappedIpv4 => "IPv4-mapped",
            Self::CompatibleIpv4 => "IPv4-compatible",
            Self::Nat64 => "NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
        })
    }
}

/// Classifies an address; `None` means public unicast.
///
/// ```
/// use nodule_core::address::{classify, Special};
///
/// assert_eq!(classify("1.1.1.1".parse()?), None);
/// assert_eq!(classify("127.0.0.1".parse()?), Some(Special::Loopback));
/// assert_eq!(classify("::ffff:127.0.0.1".parse()?), Some(Special::MappedIpv4));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn classify(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(address) => IPV4
            .iter()
            .find(|(net, _)| net.contains(&address))
            .map(|(_, special)| *special),
        IpAddr::V6(address) => match IPV6.iter().find(|(net, _)| net.contains(&address)) {
            Some((_, special)) => Some(*special),
            None if GLOBAL_UNICAST.contains(&address) => None,
            None => Some(Special::Reserved),
        },
    }
}

/// Which addresses the policy entry that allowed a request lets it connect to. The permit is part of a connection
/// pool's key: a connection made under one permit must not serve another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permit {
    /// Public unicast addresses.
    PublicOnly,
    /// Exactly this address: the entry names it.
    Literal(IpAddr),
    /// The entry says that its name may resolve to a private address.
    PrivateAllowed,
}

impl Permit {
    /// Why this permit does not cover an address; `None` if it does.
    #[must_use]
    pub fn refuses(self, address: IpAddr) -> Option<Refusal> {
        match self {
            Self::Literal(listed) if listed == address => None,
            Self::Literal(_) => Some(Refusal::NotTheListedAddress),
            Self::PrivateAllowed => classify(address)
                .filter(|special| special.hides_ipv4())
                .map(Refusal::Special),
            Self::PublicOnly => classify(address).map(Refusal::Special),
        }
    }
}

/// Why one address was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The address is not public.
    Special(Special),
    /// The entry names another address.
    NotTheListedAddress,
    /// The address, or an IPv4 address that it hides, is in this range of the engine's blocked addresses.
    Blocked(IpNet),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special(special) => special.fmt(f),
            Self::NotTheListedAddress => f.write_str("not the listed address"),
            Self::Blocked(net) => write!(f, "blocked by the engine's `{net}`"),
        }
    }
}

/// Keeps the addresses that the permit and the engine's lists allow, in order.
///
/// The caller connects to one of them, without another look-up.
///
/// # Errors
///
/// No address is left: the name resolves to nothing, or to forbidden addresses only.
pub fn filter(
    addresses: impl IntoIterator<Item = SocketAddr>,
    permit: Permit,
    lists: &AddressLists,
) -> Result<Vec<SocketAddr>, AddressDenial> {
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    for address in addresses {
        match lists.refuses(address.ip(), permit) {
            None => kept.push(address),
            Some(refusal) => refused.push((address.ip(), refusal)),
        }
    }
    if kept.is_empty() {
        Err(AddressDenial { refused })
    } else {
        Ok(kept)
    }
}

/// Every address of a name was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressDenial {
    /// The addresses, each with its reason; empty if the name has no address.
    pub refused: Vec<(IpAddr, Refusal)>,
}

impl AddressDenial {
    /// The policy lines that would allow it, if the operator may allow it.
    #[must_use]
    pub fn hint(&self, url: &CanonicalUrl) -> Option<String> {
        let blocked = self.refused.iter().find_map(|(address, refusal)| match refusal {
            Refusal::Blocked(net) => Some((address, net)),
            _ => None,
        });
        if let Some((address, net)) = blocked {
            return Some(format!(
                "`{net}` is blocked for all nodes of this engine, and no policy changes that; whoever runs it can take the \
                 range out, or add `{address}` to its allowed addresses"
            ));
        }
        let may_be_allowed = self
            .refused
            .iter()
            .any(|(_, refusal)| matches!(refusal, Refusal::Special(special) if !special.hides_ipv4()));
        may_be_allowed.then(|| {
            format!(
                "if `{}` is meant to be a private service, say so in the policy file:\n\
                 [[allow]]\norigin = \"{}\"\nprivate = true",
                url.host(),
                url.origin(),
            )
        })
    }
}

impl fmt::Display for AddressDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(((address, refusal), more)) = self.refused.split_first() else {
            return f.write_str("the name has no address");
        };
        write!(f, "the name resolves to `{address}` ({refusal})")?;
        for (address, refusal) in more {
            write!(f, ", `{address}` ({refusal})")?;
        }
        f.write_str(", and no address may be connected to")
    }
}

impl std::error::Error for AddressDenial {}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(bits: u8, segments: [u16; 8]) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), bits)
}

/// The first matching range counts, so narrow ranges precede the wide ones around them.
const IPV4: &[(Ipv4Net, Special)] = &[
    // AWS, Azure, Google and most others; AWS tasks; AWS pods.
    (v4(169, 254, 169, 254, 32), Special::Metadata),
    (v4(169, 254, 170, 2, 32), Special::Metadata),
    (v4(169, 254, 170, 23, 32), Special::Metadata),
    // Alibaba, Oracle, Azure's wire server.
    (v4(100, 100, 100, 200, 32), Special::Metadata),
    (v4(192, 0, 0, 192, 32), Special::Metadata),
    (v4(168, 63, 129, 16, 32), Special::Metadata),
    (v4(0, 0, 0, 0, 8), Special::Unspecified),
    (v4(10, 0, 0, 0, 8), Special::Private),
    (v4(100, 64, 0, 0, 10), Special::CarrierGradeNat),
    (v4(127, 0, 0, 0, 8), Special::Loopback),
    (v4(169, 254, 0, 0, 16), Special::LinkLocal),
    (v4(172, 16, 0, 0, 12), Special::Private),
    (v4(192, 0, 0, 0, 24), Special::Protocol),
    (v4(192, 0, 2, 0, 24), Special::Documentation),
    (v4(192, 88, 99, 0, 24), Special::SixToFour),
    (v4(192, 168, 0, 0, 16), Special::Private),
    (v4(198, 18, 0, 0, 15), Special::Benchmarking),
    (v4(198, 51, 100, 0, 24), Special::Documentation),
    (v4(203, 0, 113, 0, 24), Special::Documentation),
    (v4(224, 0, 0, 0, 4), Special::Multicast),
    (v4(255, 255, 255, 255, 32), Special::Broadcast),
    (v4(240, 0, 0, 0, 4), Special::Reserved),
];

/// What IANA assigns as IPv6 global unicast.
const GLOBAL_UNICAST: Ipv6Net = v6(3, [0x2000, 0, 0, 0, 0, 0, 0, 0]);

/// Ordered like [`IPV4`]. An address that hides an IPv4 one is classified by its notation, whatever it hides.
const IPV6: &[(Ipv6Net, Special)] = &[
    // AWS, its pods, Google, each inside `fc00::/7`.
    (v6(128, [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254]), Special::Metadata),
    (v6(128, [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x23]), Special::Metadata),
    (v6(128, [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254]), Special::Metadata),
    (v6(128, [0, 0, 0, 0, 0, 0, 0, 0]), Special::Unspecified),
    (v6(128, [0, 0, 0, 0, 0, 0, 0, 1]), Special::Loopback),
    (v6(96, [0, 0, 0, 0, 0, 0, 0, 0]), Special::CompatibleIpv4),
    (v6(96, [0, 0, 0, 0, 0, 0xffff, 0, 0]), Special::MappedIpv4),
    (v6(96, [0, 0, 0, 0, 0xffff, 0, 0, 0]), Special::MappedIpv4),
    (v6(96, [0x64, 0xff9b, 0, 0, 0, 0, 0, 0]), Special::Nat64),
    (v6(48, [0x64, 0xff9b, 1, 0, 0, 0, 0, 0]), Special::Nat64),
    (v6(32, [0x2001, 0, 0, 0, 0, 0, 0, 0]), Special::Teredo),
    (v6(48, [0x2001, 2, 0, 0, 0, 0, 0, 0]), Special::Benchmarking),
    (v6(23, [0x2001, 0, 0, 0, 0, 0, 0, 0]), Special::Protocol),
    (v6(32, [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]), Special::Documentation),
    (v6(16, [0x2002, 0, 0, 0, 0, 0, 0, 0]), Special::SixToFour),
    (v6(20, [0x3fff, 0, 0, 0, 0, 0, 0, 0]), Special::Documentation),
    (v6(7, [0xfc00, 0, 0, 0, 0, 0, 0, 0]), Special::UniqueLocal),
    (v6(10, [0xfe80, 0, 0, 0, 0, 0, 0, 0]), Special::LinkLocal),
    (v6(10, [0xfec0, 0, 0, 0, 0, 0, 0, 0]), Special::SiteLocal),
    (v6(8, [0xff00, 0, 0, 0, 0, 0, 0, 0]), Special::Multicast),
];
