use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Filters without the engine's lists.
fn filter(
    addresses: impl IntoIterator<Item = SocketAddr>,
    permit: Permit,
) -> Result<Vec<SocketAddr>, AddressDenial> {
    super::filter(addresses, permit, &AddressLists::default())
}

fn socket(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 443)
}

/// Smokescreen's vectors, the rows 9 to 12 of the attack list, and the edges of each range.
const SPECIAL: &[(&str, Special)] = &[
    ("0.0.0.0", Special::Unspecified),
    ("0.1.2.3", Special::Unspecified),
    ("10.0.0.0", Special::Private),
    ("10.255.255.255", Special::Private),
    ("100.64.0.1", Special::CarrierGradeNat),
    ("100.127.255.255", Special::CarrierGradeNat),
    ("100.100.100.200", Special::Metadata),
    ("127.0.0.1", Special::Loopback),
    ("127.255.255.254", Special::Loopback),
    ("168.63.129.16", Special::Metadata),
    ("169.254.0.1", Special::LinkLocal),
    ("169.254.169.254", Special::Metadata),
    ("169.254.170.2", Special::Metadata),
    ("172.16.0.0", Special::Private),
    ("172.31.255.255", Special::Private),
    ("192.0.0.1", Special::Protocol),
    ("192.0.0.192", Special::Metadata),
    ("192.0.2.1", Special::Documentation),
    ("192.88.99.1", Special::SixToFour),
    ("192.168.0.0", Special::Private),
    ("192.168.255.255", Special::Private),
    ("198.18.0.1", Special::Benchmarking),
    ("198.19.255.255", Special::Benchmarking),
    ("198.51.100.7", Special::Documentation),
    ("203.0.113.7", Special::Documentation),
    ("224.0.0.1", Special::Multicast),
    ("239.255.255.255", Special::Multicast),
    ("240.0.0.1", Special::Reserved),
    ("255.255.255.255", Special::Broadcast),
    ("::", Special::Unspecified),
    ("::1", Special::Loopback),
    ("::2", Special::CompatibleIpv4),
    ("::127.0.0.1", Special::CompatibleIpv4),
    ("::8.8.8.8", Special::CompatibleIpv4),
    ("::ffff:127.0.0.1", Special::MappedIpv4),
    ("::ffff:8.8.8.8", Special::MappedIpv4),
    ("::ffff:0:7f00:1", Special::MappedIpv4),
    ("64:ff9b::7f00:1", Special::Nat64),
    ("64:ff9b::a9fe:a9fe", Special::Nat64),
    ("64:ff9b::808:808", Special::Nat64),
    ("64:ff9b:1::1", Special::Nat64),
    ("100::1", Special::Reserved),
    ("100:0:0:1::1", Special::Reserved),
    ("1::1", Special::Reserved),
    ("2001::1", Special::Teredo),
    ("2001:0:7f00:1::", Special::Teredo),
    ("2001:2::1", Special::Benchmarking),
    ("2001:10::1", Special::Protocol),
    ("2001:20::1", Special::Protocol),
    ("2001:db8::1", Special::Documentation),
    ("2002:7f00:1::", Special::SixToFour),
    ("2002:808:808::1", Special::SixToFour),
    ("3fff:fff::1", Special::Documentation),
    ("4000::1", Special::Reserved),
    ("5f00::1", Special::Reserved),
    ("fc00::1", Special::UniqueLocal),
    ("fd12:3456::1", Special::UniqueLocal),
    ("fd00:ec2::254", Special::Metadata),
    ("fd20:ce::254", Special::Metadata),
    ("fe80::1", Special::LinkLocal),
    ("febf::1", Special::LinkLocal),
    ("fec0::1", Special::SiteLocal),
    ("fe00::1", Special::Reserved),
    ("ff02::1", Special::Multicast),
];

/// Public addresses next to the edges of the ranges above.
const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.88.98.255",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "3fff:1000::1",
];

#[test]
fn every_special_address_has_its_name() {
    for (text, special) in SPECIAL {
        assert_eq!(classify(ip(text)), Some(*special), "{text}");
    }
}

#[test]
fn public_addresses_are_public() {
    for text in PUBLIC {
        assert_eq!(classify(ip(text)), None, "{text}");
    }
}

/// Neither permit for names lets a mapped, compatible, NAT64 or 6to4 address through, whatever IPv4 address it embeds.
#[test]
fn an_embedded_ipv4_address_never_passes() {
    for text in PUBLIC
        .iter()
        .copied()
        .chain(SPECIAL.iter().map(|(text, _)| *text))
    {
        let IpAddr::V4(inner) = ip(text) else { continue };
        let [a, b, c, d] = inner.octets().map(u16::from);
        let (high, low) = ((a << 8) | b, (c << 8) | d);
        for outer in [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, high, low, 0, 0, 0, 1),
        ] {
            for permit in [Permit::PublicOnly, Permit::PrivateAllowed] {
                assert!(permit.refuses(outer.into()).is_some(), "{outer} under {permit:?}");
            }
        }
    }
}

#[test]
fn of_a_public_and_a_private_address_the_public_one_is_kept() {
    let kept = filter(
        [socket("10.0.0.1"), socket("1.1.1.1"), socket("::1")],
        Permit::PublicOnly,
    );
    assert_eq!(kept, Ok(vec![socket("1.1.1.1")]));
}

#[test]
fn a_name_with_private_addresses_only_is_refused_with_each_reason() {
    let denial = filter([socket("10.0.0.1"), socket("fe80::1")], Permit::PublicOnly).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "the name resolves to `10.0.0.1` (private), `fe80::1` (link-local), and no address may be connected to"
    );
}

#[test]
fn a_name_without_an_address_is_refused() {
    let denial = filter([], Permit::PrivateAllowed).unwrap_err();
    assert_eq!(denial.to_string(), "the name has no address");
}

#[test]
fn a_literal_permits_itself_and_nothing_else() {
    let permit = Permit::Literal(ip("127.0.0.1"));
    assert_eq!(
        filter(
            [socket("127.0.0.1"), socket("127.0.0.2"), socket("1.1.1.1")],
            permit
        ),
        Ok(vec![socket("127.0.0.1")])
    );
    assert_eq!(
        permit.refuses(ip("::ffff:127.0.0.1")),
        Some(Refusal::NotTheListedAddress)
    );
}

#[test]
fn an_entry_that_may_be_private_reaches_private_addresses() {
    let all = [
        socket("10.0.0.1"),
        socket("127.0.0.1"),
        socket("fd12::1"),
        socket("1.1.1.1"),
    ];
    assert_eq!(filter(all, Permit::PrivateAllowed), Ok(all.to_vec()));
}

#[test]
fn the_hint_is_an_entry_that_allows_the_name_to_be_private() {
    let url = CanonicalUrl::parse("http://crm.internal:8080/v1").unwrap();
    let denial = filter([socket("10.0.0.1")], Permit::PublicOnly).unwrap_err();
    let hint = denial.hint(&url).unwrap();
    assert!(
        hint.ends_with("[[allow]]\norigin = \"http://crm.internal:8080\"\nprivate = true"),
        "{hint}"
    );
    let denial = filter([socket("64:ff9b::1")], Permit::PublicOnly).unwrap_err();
    assert_eq!(denial.hint(&url), None);
}

#[test]
fn a_blocked_address_is_named_with_the_range_and_what_can_be_done() {
    let lists = AddressLists::parse(&[] as &[&str], &["10.0.0.0/8"]).unwrap();
    let denial = super::filter([socket("10.0.0.1")], Permit::PrivateAllowed, &lists).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "the name resolves to `10.0.0.1` (blocked by the engine's `10.0.0.0/8`), and no address may be connected to"
    );
    let hint = denial
        .hint(&CanonicalUrl::parse("http://crm.internal/").unwrap())
        .unwrap();
    assert!(hint.contains("add `10.0.0.1` to its allowed addresses"), "{hint}");
}
