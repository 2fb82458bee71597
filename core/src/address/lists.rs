//! Lists of addresses that an engine's operator allows or blocks, on top of the rules about private addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Permit, Refusal, Special, classify};
use crate::text::shown;

/// Longer entries are truncated in messages.
const SHOWN_CHARS: usize = 100;

/// Addresses allowed and blocked for all nodes of an engine; empty by default.
///
/// The lists are checked before the policy entry, for each address that a name resolves to and for each literal
/// address:
///
/// 1. An allowed address passes, private or not, whatever the entry says. An entry that names an address still permits
///    only that one, and an address that [hides an IPv4 address](super::Special::hides_ipv4) can never be allowed this
///    way.
/// 2. A blocked address is refused, even if the entry names it or permits private addresses. An address that hides a
///    blocked IPv4 address is refused too.
/// 3. For all others the entry decides.
///
/// ```
/// use nodule_core::address::AddressLists;
///
/// let lists = AddressLists::parse(&["10.1.2.3"], &["10.0.0.0/8", "fd00::/8"])?;
/// assert_eq!(
///     AddressLists::parse(&["10.1.2.0/33"], &["private"]).unwrap_err().to_string(),
///     "allowed addresses: expected an address or a range such as `10.0.0.0/8`, found `10.1.2.0/33`; \
///      blocked addresses: expected an address or a range such as `10.0.0.0/8`, found `private`"
/// );
/// # Ok::<(), nodule_core::address::AddressListError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressLists {
    allowed: Vec<IpNet>,
    blocked: Vec<IpNet>,
}

impl AddressLists {
    /// Parses both lists; each entry is an IPv4 or IPv6 address, or a range in CIDR notation.
    ///
    /// # Errors
    ///
    /// Lists all entries that are neither an address nor a range, and all allowed entries that could never match.
    pub fn parse(allowed: &[impl AsRef<str>], blocked: &[impl AsRef<str>]) -> Result<Self, AddressListError> {
        let mut problems = Vec::new();
        let lists = Self {
            allowed: parse_list("allowed", allowed, &mut problems),
            blocked: parse_list("blocked", blocked, &mut problems),
        };
        for net in &lists.allowed {
            if hides_ipv4(*net) {
                problems.push(AddressListProblem {
                    list: "allowed",
                    entry: net.to_string(),
                    why: AddressListMistake::HidesIpv4,
                });
            }
        }
        if problems.is_empty() {
            Ok(lists)
        } else {
            Err(AddressListError { problems })
        }
    }

    /// Why this permit does not allow a connection to an address; `None` if it does.
    #[must_use]
    pub fn refuses(&self, address: IpAddr, permit: Permit) -> Option<Refusal> {
        if self.allowed.iter().any(|net| net.contains(&address))
            && !classify(address).is_some_and(Special::hides_ipv4)
        {
            return match permit {
                Permit::Literal(listed) if listed != address => Some(Refusal::NotTheListedAddress),
                _ => None,
            };
        }
        let hidden = hidden(address);
        let meant = || {
            let hidden = hidden.iter().flatten().map(|address| IpAddr::V4(*address));
            std::iter::once(address).chain(hidden)
        };
        let reached = || meant().chain(meant().filter_map(loopback));
        let blocked = self
            .blocked
            .iter()
            .find(|net| reached().any(|address| net.contains(&address)));
        match blocked {
            Some(net) => Some(Refusal::Blocked(*net)),
            None => permit.refuses(address),
        }
    }
}

fn parse_list(
    list: &'static str,
    entries: &[impl AsRef<str>],
    problems: &mut Vec<AddressListProblem>,
) -> Vec<IpNet> {
    let parse = |entry: &str| {
        let entry = entry.trim();
        let address = entry.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| entry.parse::<IpNet>()).ok()
    };
    entries
        .iter()
        .map(AsRef::as_ref)
        .filter_map(|entry| {
            let net = parse(entry).map(|net| net.trunc());
            if net.is_none() {
                problems.push(AddressListProblem {
                    list,
                    entry: shown(entry, SHOWN_CHARS),
                    why: AddressListMistake::NoAddress,
                });
            }
            net
        })
        .collect()
}

/// Whether every address of the range hides an IPv4 address.
fn hides_ipv4(net: IpNet) -> bool {
    [net.network(), net.broadcast()]
        .map(|address| classify(address).filter(|special| special.hides_ipv4()))
        .into_iter()
        .reduce(|first, last| first.filter(|_| first == last))
        .flatten()
        .is_some()
}

/// The loopback address that many systems connect to when given an unspecified address.
fn loopback(address: IpAddr) -> Option<IpAddr> {
    match (classify(address), address) {
        (Some(Special::Unspecified), IpAddr::V4(_)) => Some(Ipv4Addr::LOCALHOST.into()),
        (Some(Special::Unspecified), IpAddr::V6(_)) => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

/// The IPv4 addresses that packets to this address may reach.
fn hidden(address: IpAddr) -> [Option<Ipv4Addr>; 2] {
    let IpAddr::V6(address) = address else {
        return [None; 2];
    };
    let segments = address.segments();
    let pair = |high: usize| {
        let [Some(high), Some(low)] = [segments.get(high), segments.get(high + 1)] else {
            return None;
        };
        Some(Ipv4Addr::from_bits((u32::from(*high) << 16) | u32::from(*low)))
    };
    match classify(IpAddr::V6(address)) {
        Some(Special::MappedIpv4 | Special::CompatibleIpv4 | Special::Nat64) => [pair(6), None],
        Some(Special::SixToFour) => [pair(1), None],
        // The server's address, and the client's with its bits inverted.
        Some(Special::Teredo) => [
            pair(2),
            pair(6).map(|address| Ipv4Addr::from_bits(!address.to_bits())),
        ],
        _ => [None; 2],
    }
}

/// All entries of the lists that are wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressListError {
    /// Never empty.
    pub problems: Vec<AddressListProblem>,
}

/// What is wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressListProblem {
    /// `allowed` or `blocked`.
    pub list: &'static str,
    /// The entry as written, made safe to show.
    pub entry: String,
    /// What is wrong with it.
    pub why: AddressListMistake,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressListMistake {
    /// The entry is neither an address nor a range.
    NoAddress,
    /// The entry could never match: its addresses hide IPv4 addresses, which cannot be allowed this way.
    HidesIpv4,
}

impl AddressListError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        "an entry is an address (`10.1.2.3`, `fd12::1`) or a range (`10.0.0.0/8`, `fd00::/8`); write IPv4 addresses as such".to_owned()
    }
}

impl fmt::Display for AddressListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, AddressListProblem { list, entry, why }) in self.problems.iter().enumerate() {
            let semicolon = if index == 0 { "" } else { "; " };
            write!(f, "{semicolon}{list} addresses: ")?;
            match why {
                AddressListMistake::NoAddress => write!(
                    f,
                    "expected an address or a range such as `10.0.0.0/8`, found `{entry}`"
                )?,
                AddressListMistake::HidesIpv4 => write!(
                    f,
                    "expected addresses that hide no IPv4 address, found `{entry}`, which could never match"
                )?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for AddressListError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn lists(allowed: &[&str], blocked: &[&str]) -> AddressLists {
        AddressLists::parse(allowed, blocked).unwrap()
    }

    fn permits(address: &str) -> [Permit; 3] {
        [
            Permit::PublicOnly,
            Permit::PrivateAllowed,
            Permit::Literal(ip(address)),
        ]
    }

    fn assert_blocked(lists: &AddressLists, address: &str) {
        for permit in permits(address) {
            let refused = lists.refuses(ip(address), permit);
            assert!(
                matches!(refused, Some(Refusal::Blocked(_))),
                "{address} under {permit:?}"
            );
        }
    }

    #[test]
    fn without_lists_the_permit_decides() {
        for address in ["1.1.1.1", "10.0.0.1", "::1", "::ffff:10.0.0.1"] {
            for permit in permits(address) {
                let refused = AddressLists::default().refuses(ip(address), permit);
                assert_eq!(refused, permit.refuses(ip(address)), "{address} under {permit:?}");
            }
        }
    }

    #[test]
    fn a_blocked_address_is_refused_under_every_permit() {
        let lists = lists(&[], &["10.0.0.0/8", "1.1.1.1", "2606:4700::/32"]);
        for (address, net) in [
            ("10.1.2.3", "10.0.0.0/8"),
            ("1.1.1.1", "1.1.1.1/32"),
            ("2606:4700:4700::1111", "2606:4700::/32"),
        ] {
            for permit in permits(address) {
                let blocked = Some(Refusal::Blocked(net.parse().unwrap()));
                assert_eq!(lists.refuses(ip(address), permit), blocked, "{permit:?}");
            }
        }
        assert_eq!(lists.refuses(ip("1.1.1.2"), Permit::PublicOnly), None);
    }

    #[test]
    fn an_unspecified_address_leads_to_the_machine_itself() {
        let lists = lists(&[], &["127.0.0.0/8", "::1"]);
        for address in ["0.0.0.0", "::", "::ffff:0.0.0.0", "::ffff:127.0.0.1"] {
            assert_blocked(&lists, address);
        }
    }

    #[test]
    fn an_address_that_hides_a_blocked_one_is_refused_under_every_permit() {
        let lists = lists(&["0.0.0.0/0", "::/0"], &["169.254.0.0/16"]);
        for address in [
            "::ffff:169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::1",
            // The client's address is written with its bits inverted.
            "2001:0:808:808:0:0:5601:5601",
        ] {
            assert_blocked(&lists, address);
        }
    }

    #[test]
    fn an_allowed_address_passes_though_it_is_private_or_blocked() {
        let lists = lists(&["10.1.0.0/16", "fd12::1"], &["10.0.0.0/8", "fd00::/8"]);
        for address in ["10.1.2.3", "fd12::1"] {
            for permit in permits(address) {
                assert_eq!(
                    lists.refuses(ip(address), permit),
                    None,
                    "{address} under {permit:?}"
                );
            }
        }
        assert!(lists.refuses(ip("10.2.0.1"), Permit::PrivateAllowed).is_some());
        assert!(lists.refuses(ip("fd12::2"), Permit::PrivateAllowed).is_some());
    }

    #[test]
    fn an_allowed_address_is_no_way_round_an_entry_that_names_another() {
        let lists = lists(&["10.0.0.0/8"], &[]);
        let permit = Permit::Literal(ip("10.0.0.1"));
        assert_eq!(lists.refuses(ip("10.0.0.1"), permit), None);
        assert_eq!(
            lists.refuses(ip("10.0.0.2"), permit),
            Some(Refusal::NotTheListedAddress)
        );
    }

    #[test]
    fn an_address_that_hides_an_ipv4_address_is_never_allowed() {
        let lists = lists(&["::/0", "0.0.0.0/0"], &[]);
        for address in [
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "192.88.99.1",
        ] {
            for permit in [Permit::PublicOnly, Permit::PrivateAllowed] {
                assert!(
                    lists.refuses(ip(address), permit).is_some(),
                    "{address} under {permit:?}"
                );
            }
        }
        assert_eq!(lists.refuses(ip("::1"), Permit::PublicOnly), None);
    }

    #[test]
    fn all_entries_that_are_none_are_named_at_once() {
        let error = AddressLists::parse(
            &["10.0.0.0/33", " 10.0.0.1 ", "::ffff:10.0.0.0/104"],
            &["", "host\u{1b}[2J", "fd00::/8", "10.1.2.3/8"],
        )
        .unwrap_err();
        let entries: Vec<(&str, &str)> = error
            .problems
            .iter()
            .map(|problem| (problem.list, problem.entry.as_str()))
            .collect();
        assert_eq!(entries.len(), 4, "{error}");
        assert_eq!(entries[0], ("allowed", "10.0.0.0/33"));
        assert_eq!(entries[1], ("blocked", ""));
        assert!(!entries[2].1.contains('\u{1b}'), "{error}");
        assert_eq!(error.problems[3].why, AddressListMistake::HidesIpv4);
    }

    #[test]
    fn a_range_is_what_its_length_says_whatever_stands_behind() {
        let lists = lists(&[], &["10.1.2.3/8"]);
        assert!(lists.refuses(ip("10.200.0.1"), Permit::PrivateAllowed).is_some());
    }
}
