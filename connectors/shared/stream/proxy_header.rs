//! The header by which a proxy tells for whom it connects (`HAProxy`, doc/proxy-protocol.txt, versions 1 and 2).
//!
//! Version 1 is a line of at most 107 bytes:
//!
//! | bytes                                        | is                                              |
//! |----------------------------------------------|-------------------------------------------------|
//! | `PROXY TCP4 `, `PROXY TCP6 `                 | source, destination, their ports, each behind one space |
//! | `PROXY UNKNOWN`                              | anything up to the end of the line; the proxy itself |
//! | CR LF                                        | the end                                         |
//!
//! Version 2, numbers with the high byte first:
//!
//! | at | bytes | is                                                                                  |
//! |----|-------|-------------------------------------------------------------------------------------|
//! | 0  | 12    | `\r\n\r\n\0\r\nQUIT\n`                                                              |
//! | 12 | 1     | high half 2; low half 0: LOCAL, the proxy itself, 1: PROXY                          |
//! | 13 | 1     | high half 0: unknown, 1: IPv4, 2: IPv6, 3: unix; low half 0: unknown, 1: stream, 2: datagram |
//! | 14 | 2     | length of what follows, here at most 520                                            |
//! | 16 |       | source and destination (4, 16 or 108 bytes each), ports (2 each, not of unix)       |
//! |    |       | further values, which are passed over                                               |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// Longest header, bytes: that of version 2 with 304 bytes of further values behind addresses of unix sockets.
pub const LONGEST: usize = 536;
/// Longest line of version 1, bytes.
const LINE_MAX: usize = 107;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What comes before the addresses in version 2, bytes.
const FIXED: usize = 16;

/// A header that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who has connected to the proxy; `None`: the proxy speaks for itself, or does not know.
    pub source: Option<SocketAddr>,
    /// Its bytes.
    pub length: usize,
}

/// What begins a connection and is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// Reads the header at the beginning of `bytes`; `None`: it is not whole yet, and all of `bytes` belongs to it.
///
/// # Errors
/// [`Malformed`] when no header begins so.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(one, other)| one == other);
    if begins(SIGNATURE) {
        binary(bytes)
    } else if begins(b"PROXY ") {
        line(bytes)
    } else {
        Err(Malformed("there is no header of the PROXY protocol"))
    }
}

fn line(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(end) = bytes.iter().take(LINE_MAX).position(|byte| *byte == b'\n') else {
        let too_long = Malformed("the line of the PROXY protocol is longer than 107 bytes");
        return if bytes.len() < LINE_MAX { Ok(None) } else { Err(too_long) };
    };
    let wrong = Malformed("the line of the PROXY protocol cannot be read");
    let text = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(wrong)?;
    let text = str::from_utf8(text).map_err(|_error| wrong)?;
    let mut words = text.split(' ').skip(1);
    let mut word = || words.next().ok_or(wrong);
    let family = word()?;
    let length = end + 1;
    if family == "UNKNOWN" {
        return Ok(Some(Header { source: None, length }));
    }
    let mut address = || word()?.parse::<IpAddr>().map_err(|_error| wrong);
    let (source, destination) = (address()?, address()?);
    let is_of_family = |address: IpAddr| match family {
        "TCP4" => address.is_ipv4(),
        "TCP6" => address.is_ipv6(),
        _ => false,
    };
    let (port, _to) = (port(word()?).ok_or(wrong)?, port(word()?).ok_or(wrong)?);
    if !is_of_family(source) || !is_of_family(destination) || words.next().is_some() {
        return Err(wrong);
    }
    Ok(Some(Header { source: Some(SocketAddr::new(source, port)), length }))
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(&[.., command, family, high, low]) = bytes.first_chunk::<FIXED>() else {
        return Ok(None);
    };
    if command >> 4 != 2 || command & 0x0f > 1 {
        return Err(Malformed(
            "the header of the PROXY protocol has an unknown version or command",
        ));
    }
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(Malformed("the header of the PROXY protocol is longer than 536 bytes"));
    }
    let Some(told) = bytes.get(FIXED..length) else { return Ok(None) };
    let short = Malformed("the header of the PROXY protocol is shorter than its addresses");
    let source = match (command & 0x0f, family >> 4) {
        (0, _) | (_, 0) => None,
        (_, 1) => {
            let &[a, b, c, d, _, _, _, _, high, low, _, _] =
                told.first_chunk::<12>().ok_or(short)?;
            let port = u16::from_be_bytes([high, low]);
            Some(SocketAddr::from((Ipv4Addr::new(a, b, c, d), port)))
        }
        (_, 2) => {
            let (source, behind) = told.split_first_chunk::<16>().ok_or(short)?;
            let &[.., high, low, _, _] = behind.first_chunk::<20>().ok_or(short)?;
            let port = u16::from_be_bytes([high, low]);
            Some(SocketAddr::from((Ipv6Addr::from(*source), port)))
        }
        (_, 3) if told.len() < 216 => return Err(short),
        (_, 3) => None,
        _ => return Err(Malformed("the header of the PROXY protocol has an unknown family")),
    };
    Ok(Some(Header { source, length }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version_1(source: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let (from, at) = (source.ip(), to.ip());
        format!("PROXY {family} {from} {at} {} {}\r\n", source.port(), to.port()).into_bytes()
    }

    fn version_2(source: SocketAddr, to: SocketAddr, further: &[u8]) -> Vec<u8> {
        let (mut told, family) = match (source.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(at)) => ([from.octets(), at.octets()].concat(), 0x11),
            (IpAddr::V6(from), IpAddr::V6(at)) => ([from.octets(), at.octets()].concat(), 0x21),
            _ => panic!("two families"),
        };
        told.extend([source.port().to_be_bytes(), to.port().to_be_bytes()].concat());
        told.extend(further);
        let length = u16::try_from(told.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[0x21, family], &length, &told].concat()
    }

    fn source(bytes: &[u8]) -> Option<Option<SocketAddr>> {
        parse(bytes).ok().flatten().map(|header| header.source)
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        let read = source(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
        assert_eq!(read, Some(Some("255.255.255.255:65535".parse().unwrap())));
        assert_eq!(source(b"PROXY UNKNOWN\r\n"), Some(None));
        assert_eq!(source(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nGET /"), Some(None));
        let local = [SIGNATURE.as_slice(), &[0x20, 0, 0, 0]].concat();
        assert_eq!(parse(&local), Ok(Some(Header { source: None, length: 16 })));
        let unix = [SIGNATURE.as_slice(), &[0x21, 0x31, 0, 216], &[0; 216]].concat();
        assert_eq!(source(&unix), Some(None));
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_it_shows() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        let too_large = [SIGNATURE.as_slice(), &[0x21, 0x11, 2, 9]].concat();
        let short = [SIGNATURE.as_slice(), &[0x21, 0x11, 0, 11], &[0; 11]].concat();
        for bytes in [
            b"G".as_slice(),
            b"PROXY_",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
            b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
            b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            long.as_bytes(),
            &too_large,
            &short,
            &[SIGNATURE.as_slice(), &[0x31, 0x11, 0, 0]].concat(),
            &[SIGNATURE.as_slice(), &[0x22, 0x11, 0, 0]].concat(),
            &[SIGNATURE.as_slice(), &[0x21, 0x41, 0, 0]].concat(),
        ] {
            assert!(parse(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }

    fn pair() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        let v4 = any::<([u8; 4], u16, [u8; 4], u16)>()
            .prop_map(|(a, p, b, q)| (SocketAddr::from((a, p)), SocketAddr::from((b, q))));
        let v6 = any::<([u16; 8], u16, [u16; 8], u16)>()
            .prop_map(|(a, p, b, q)| (SocketAddr::from((a, p)), SocketAddr::from((b, q))));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), lead in 0usize..3) {
            let lead = [b"".as_slice(), b"PROXY ", SIGNATURE.as_slice()][lead];
            let bytes = [lead, &bytes].concat();
            if let Ok(Some(header)) = parse(&bytes) {
                prop_assert!(header.length <= bytes.len() && header.length <= LONGEST);
            }
        }

        #[test]
        fn a_header_is_whole_at_its_end_and_never_before(
            (from, to) in pair(), further in proptest::collection::vec(any::<u8>(), 0..300), behind: [u8; 4],
        ) {
            for written in [version_1(from, to), version_2(from, to, &further)] {
                let expected = Header { source: Some(from), length: written.len() };
                for cut in 0..written.len() {
                    prop_assert_eq!(parse(&written[..cut]), Ok(None));
                }
                prop_assert_eq!(parse(&[&written[..], &behind].concat()), Ok(Some(expected)));
            }
        }
    }
}
