//! What looks like the name of a host or of a program.

use std::net::Ipv6Addr;

/// Takes what stands before the next space or tab, and moves `at` behind it.
pub(super) fn word<'a>(message: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = message.get(*at..)?;
    let length = memchr::memchr2(b' ', b'\t', rest)?;
    *at += length + 1;
    rest.get(..length)
}

/// Whether a word can be the name or address of a machine. A colon stands in IPv6 addresses alone.
pub(super) fn host(word: &[u8]) -> bool {
    if let Some(inside) = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")) {
        return ipv6(inside);
    }
    let allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || !byte.is_ascii()
            || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@' | b'~' | b'+')
    };
    !word.is_empty() && (word.iter().all(allowed) || ipv6(word))
}

fn ipv6(word: &[u8]) -> bool {
    let address = word.split(|byte| *byte == b'%').next().unwrap_or_default();
    word.contains(&b':')
        && str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Whether `%FACILITY-SEVERITY-MNEMONIC:` of a Cisco device stands here, behind spaces.
pub(super) fn mnemonic(text: &[u8]) -> bool {
    let word = text.trim_ascii_start().split(|byte| matches!(byte, b' ' | b':')).next();
    let Some(name) = word.and_then(|word| word.strip_prefix(b"%")) else {
        return false;
    };
    let mut parts = name.split(|byte| *byte == b'-').skip(1);
    let is_level = |part: &[u8]| matches!(part, [b'0'..=b'7'] | [b'A'..=b'Z']);
    parts.any(is_level) && parts.next().is_some()
}

/// Name, process, and the length of both with what is around them.
pub(super) type Tag<'a> = (&'a [u8], Option<&'a [u8]>, usize);

/// `app:`, `app[12]:` or `app[12]` at the front of `text`. What follows is a space, or the end,
/// or for a process anything behind its colon. A word without either is text.
pub(super) fn tag(text: &[u8]) -> Option<Tag<'_>> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let end = text.iter().position(blank).unwrap_or(text.len());
    let word = text.get(..end)?;
    if let Some(open) = memchr::memchr(b'[', word).filter(|open| program(word, *open)) {
        let inside = word.get(open + 1..)?;
        let close = memchr::memchr(b']', inside)?;
        let length = open + close + 2;
        let procid = inside.get(..close).filter(|procid| !procid.is_empty());
        let colon = word.get(length) == Some(&b':');
        let ends = colon || length == word.len();
        return ends.then_some((word.get(..open)?, procid, length + usize::from(colon)));
    }
    let name = word.strip_suffix(b":")?;
    program(word, name.len()).then_some((name, None, word.len()))
}

/// Whether the first `length` bytes can be a program's name: they have a letter, and nothing that stands in data.
fn program(word: &[u8], length: usize) -> bool {
    let name = word.get(..length).unwrap_or_default();
    let in_data = |byte: &u8| {
        matches!(byte, b'"' | b'\'' | b'{' | b'}' | b'<' | b'>' | b'=' | b'|' | b';' | b'[' | b']')
    };
    // The formats of events that begin so are read by their whole text.
    !matches!(name, b"CEF" | b"LEEF")
        && name.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        && !name.iter().any(|byte| in_data(byte) || byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses() {
        for word in [
            "web-1",
            "web_1.example.com.",
            "10.0.0.1",
            "fe80::1%eth0",
            "[::1]",
            "2001:db8::",
            "a/b",
            "büro",
        ] {
            assert!(host(word.as_bytes()), "{word}");
        }
        for word in
            ["", "app:", "app[1]:", "app:text", "a=b", "1,2026", "{\"a\":", "[x]", "<b>", "(\"U7\""]
        {
            assert!(!host(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn tags_end_in_a_colon_or_a_process() {
        for (text, expected) in [
            ("app: text", Some(("app", None, 4))),
            ("app[12]: text", Some(("app", Some("12"), 8))),
            ("app[12] text", Some(("app", Some("12"), 7))),
            ("app[12]:text", Some(("app", Some("12"), 8))),
            ("app[]: text", Some(("app", None, 6))),
            ("(sd-pam)[7]:", Some(("(sd-pam)", Some("7"), 12))),
            ("Net::Server: text", Some(("Net::Server", None, 12))),
            ("app text", None),
            ("app:text", None),
            ("CEF:0|Vendor|a: b", None),
            ("CEF: 0|Vendor", None),
            ("app[12 text]: x", None),
            ("{\"a\": 1}", None),
            ("18:17:27: text", None),
            ("a=b: text", None),
            (": text", None),
            ("", None),
        ] {
            let seen = tag(text.as_bytes());
            let seen = seen.map(|(name, procid, length)| {
                (
                    str::from_utf8(name).unwrap(),
                    procid.map(|id| str::from_utf8(id).unwrap()),
                    length,
                )
            });
            assert_eq!(seen, expected, "{text}");
        }
    }

    #[test]
    fn mnemonics_are_ciscos() {
        for text in [
            "%SYS-5-CONFIG_I: x",
            " %ASA-config-5-111005: x",
            "%AAA-I-CONNECT: x",
            "%PKT_INFRA-LINK-3-UPDOWN : x",
        ] {
            assert!(mnemonic(text.as_bytes()), "{text}");
        }
        for text in ["", "%", "%d items", "100%-5-A", "%a-b: x"] {
            assert!(!mnemonic(text.as_bytes()), "{text}");
        }
    }
}
