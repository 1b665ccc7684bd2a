//! Who may connect, by address.
//!
//! A network is `10.0.0.0/8` or `fd00::/8`, a single address `192.168.1.7` or `::1`. IPv4 in the clothes of IPv6
//! (`::ffff:10.0.0.7`) is IPv4.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// Addresses with the same beginning.
///
/// Invariant: no bit of the address is set behind the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    /// How many bits are the same.
    prefix: u8,
}

impl Network {
    /// Whether an address, of IPv4 where it can be, is one of its.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address, self.prefix) == self.address
    }
}

/// Whether `peer` may connect: in an empty list is everybody.
#[must_use]
pub fn allows(list: &[Network], peer: IpAddr) -> bool {
    list.is_empty() || list.iter().any(|network| network.contains(peer))
}

/// The first bits of an address, the others zero.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let behind = |bits: u32| bits.saturating_sub(u32::from(prefix));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(behind(32)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(behind(128)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no_network = || {
            format!(
                "\"{text}\" is no address; write an address such as 192.168.1.7, or a network such as 10.0.0.0/8"
            )
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let given: IpAddr = address.parse().map_err(|_error| no_network())?;
        let bits: u8 = if given.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let prefix = match prefix {
            None => bits,
            Some(prefix) => {
                let number = Some(prefix).filter(is_number).and_then(|text| text.parse().ok());
                let wrong = || {
                    format!(
                        "\"{text}\" has no prefix of 0 to {bits} bits behind the slash; write such as 10.0.0.0/8"
                    )
                };
                number.filter(|prefix| *prefix <= bits).ok_or_else(wrong)?
            }
        };
        let address = masked(given, prefix);
        if address != given {
            return Err(format!(
                "\"{text}\" has bits behind its prefix; write {address}/{prefix} for the network, or {given} for the address"
            ));
        }
        Ok(Self { address, prefix }.canonical())
    }
}

impl Network {
    /// IPv4 in the clothes of IPv6 without them.
    fn canonical(self) -> Self {
        const CLOTHES: u8 = 96;
        let mapped = |v6: Ipv6Addr| v6.to_ipv4_mapped().map(IpAddr::V4);
        match (self.address, self.prefix.checked_sub(CLOTHES)) {
            (IpAddr::V6(v6), Some(prefix)) => {
                mapped(v6).map_or(self, |address| Self { address, prefix })
            }
            _ => self,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_is_allowed_that_is_in_the_list_or_where_there_is_none() {
        let some = list(&["10.0.0.0/8", "192.168.1.7", "::1", "fd00::/8", "::ffff:172.16.0.0/108"]);
        for (address, expected) in [
            ("10.1.2.3", true),
            ("11.0.0.0", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("::1", true),
            ("::2", false),
            ("fd12:3456::1", true),
            ("fe80::1", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(allows(&some, address), expected, "{address}");
            assert!(allows(&[], address));
        }
        let all = list(&["0.0.0.0/0"]);
        assert!(allows(&all, "8.8.8.8".parse().unwrap()));
        assert!(!allows(&all, "::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_says_what_to_write() {
        for (text, words) in [
            ("", "is no address"),
            ("localhost", "is no address"),
            ("10.0.0/8", "is no address"),
            ("10.0.0.0/33", "0 to 32 bits"),
            ("10.0.0.0/", "0 to 32 bits"),
            ("10.0.0.0/+8", "0 to 32 bits"),
            ("::/129", "0 to 128 bits"),
            ("10.0.0.1/8", "write 10.0.0.0/8 for the network, or 10.0.0.1 for the address"),
            ("fd00::1/64", "write fd00::/64"),
        ] {
            let problem = text.parse::<Network>().unwrap_err();
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_network_that_reads_back_or_refused(text in "[0-9a-f:./+]{0,24}") {
            if let Ok(network) = text.parse::<Network>() {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
                prop_assert!(network.contains(network.address));
            }
        }

        #[test]
        fn an_address_is_in_a_network_when_its_first_bits_are(one: u32, other: u32, prefix in 0u8..=32) {
            let network = Network { address: masked(IpAddr::V4(one.into()), prefix), prefix };
            let same = prefix == 0 || (one ^ other) >> (32 - u32::from(prefix)) == 0;
            prop_assert_eq!(network.contains(IpAddr::V4(other.into())), same);
        }
    }
}
