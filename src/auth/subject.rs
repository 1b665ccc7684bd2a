//! The subject of a certificate as text, in the form of RFC 2253 that Kafka's principals have.
//!
//! ```text
//! Name    = SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
//! as text = the sets from last to first, `,` between sets, `+` inside, `CN=value` or `1.2.3=#hex of the value's DER`
//! ```
//! The certificate is one whose signature has been checked. What is malformed nevertheless has no text.

use std::fmt::Write;

/// Types that RFC 2253 has names for, by their DER.
const NAMES: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The whole subject, given as the content of its outer sequence; `None` when it is malformed or empty.
pub(super) fn distinguished_name(subject: &[u8]) -> Option<String> {
    let mut sets = Vec::new();
    let mut rest = subject;
    while !rest.is_empty() {
        let (set, after) = element(rest, SET)?;
        sets.push(relative_name(set)?);
        rest = after;
    }
    sets.reverse();
    (!sets.is_empty()).then(|| sets.join(","))
}

/// The last common name alone; `None` when there is none.
pub(super) fn common_name(subject: &[u8]) -> Option<String> {
    let mut found = None;
    let mut rest = subject;
    while !rest.is_empty() {
        let (mut set, after) = element(rest, SET)?;
        while !set.is_empty() {
            let (attribute, next) = element(set, SEQUENCE)?;
            let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
            if NAMES.first().is_some_and(|(common, _)| *common == kind) {
                found = text(value);
            }
            set = next;
        }
        rest = after;
    }
    found.filter(|name| !name.is_empty())
}

fn relative_name(mut set: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !set.is_empty() {
        let (attribute, after) = element(set, SEQUENCE)?;
        let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
        let name = NAMES.iter().find(|(oid, _)| *oid == kind).map(|(_, name)| *name);
        parts.push(match (name, text(value)) {
            (Some(name), Some(text)) => format!("{name}={}", escape(&text)),
            (_, _) => {
                let (_tag, _content, after) = split(value)?;
                let encoded = value.get(..value.len() - after.len())?;
                let hex = encoded.iter().fold(String::new(), |mut hex, byte| {
                    // Writing into a string cannot fail.
                    write!(hex, "{byte:02x}").ok();
                    hex
                });
                format!("{}=#{hex}", dotted(kind)?)
            }
        });
        set = after;
    }
    (!parts.is_empty()).then(|| parts.join("+"))
}

/// The characters of a string; `None` for anything else.
fn text(value: &[u8]) -> Option<String> {
    let (tag, content, _after) = split(value)?;
    match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => {
            std::str::from_utf8(content).ok().map(str::to_owned)
        }
        // In practice this is Latin-1.
        T61_STRING => Some(content.iter().copied().map(char::from).collect()),
        BMP_STRING => {
            let (pairs, odd) = content.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            if odd.is_empty() { String::from_utf16(&units).ok() } else { None }
        }
        _ => None,
    }
}

/// A value with everything escaped that would mean something else (RFC 2253, 2.4).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (index, letter) in text.chars().enumerate() {
        let special = matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
        let at_end = letter == ' ' && (index == 0 || index == last);
        if special || at_end || (letter == '#' && index == 0) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// `2.5.4.3`; `None` for what is no identifier.
fn dotted(oid: &[u8]) -> Option<String> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number: u64 = 0;
    for byte in oid {
        number = number.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let (first, rest) = numbers.split_first()?;
    let root = (first / 40).min(2);
    let all = [root, first - root * 40].into_iter().chain(rest.iter().copied());
    Some(all.map(|number| number.to_string()).collect::<Vec<_>>().join("."))
}

/// The content of the element of type `tag` that `bytes` begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, after) = split(bytes)?;
    (found == tag).then_some((content, after))
}

/// Type and content of the first element, and what follows it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (first, mut bytes) = bytes.split_first()?;
    let mut length = usize::from(first & 0x7f);
    if first & 0x80 != 0 {
        let (digits, after) =
            bytes.split_at_checked(length).filter(|_| (1..=4).contains(&length))?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        bytes = after;
    }
    let (content, after) = bytes.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        let long = if length < 128 { vec![length] } else { vec![0x81, length] };
        [&[tag][..], &long, content].concat()
    }

    fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        der(SEQUENCE, &[der(OBJECT_IDENTIFIER, oid), der(tag, value)].concat())
    }

    #[test]
    fn a_subject_is_written_from_last_to_first() {
        let (cn, o, c) = (NAMES[0].0, NAMES[3].0, NAMES[5].0);
        let subject = [
            der(SET, &attribute(c, PRINTABLE_STRING, b"DE")),
            der(SET, &attribute(o, UTF8_STRING, "Müller, Söhne".as_bytes())),
            der(
                SET,
                &[attribute(cn, BMP_STRING, b"\0a\0b"), attribute(o, T61_STRING, b"\xfc")].concat(),
            ),
        ]
        .concat();
        let name = distinguished_name(&subject).unwrap();
        assert_eq!(name, "CN=ab+O=ü,O=Müller\\, Söhne,C=DE");
        assert_eq!(common_name(&subject).unwrap(), "ab");
        assert_eq!((distinguished_name(b""), common_name(b"")), (None, None));
        assert_eq!(common_name(&der(SET, &attribute(o, UTF8_STRING, b"x"))), None);
    }

    #[test]
    fn subjects_are_written_as_java_writes_them() {
        for (der, name) in [
            (
                "3081a131123010060a0992268993f22c6401011302753131173015060a0992268993f22c640119160765\
                 78616d706c65310b3009060355040613024445310a30080603550409130173310e300c06035504080c05\
                 3c783b793e3111300f06035504070c084dc3bc6e6368656e310b3009060355040a0c0223783114300806\
                 035504031301623008060355040b1301613113301106035504030c0a536d6974682c20224a22",
                "CN=Smith\\, \\\"J\\\",CN=b+OU=a,O=\\#x,L=München,ST=\\<x\\;y\\>,STREET=s,C=DE,DC=example,UID=u1",
            ),
            (
                "302f310a30080603550403130178310a300806035504051301353115301306092a864886f70d01090116\
                 066140622e6465",
                "1.2.840.113549.1.9.1=#16066140622e6465,2.5.4.5=#130135,CN=x",
            ),
        ] {
            let digits = der.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            let der: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
            let (subject, _) = element(&der, SEQUENCE).unwrap();
            assert_eq!(distinguished_name(subject).unwrap(), name);
        }
    }

    #[test]
    fn what_has_no_name_of_its_own_is_written_in_numbers() {
        let email = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
        let subject = der(SET, &attribute(&email, IA5_STRING, b"a@b"));
        assert_eq!(distinguished_name(&subject).unwrap(), "1.2.840.113549.1.9.1=#1603614062");
        let number = der(SET, &attribute(NAMES[0].0, 0x02, &[7]));
        assert_eq!(distinguished_name(&number).unwrap(), "2.5.4.3=#020107");
    }

    #[test]
    fn characters_that_mean_something_are_escaped() {
        for (text, escaped) in [
            ("a,b+c\"d\\e<f>g;h", "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"),
            ("#a#", "\\#a#"),
            (" a b ", "\\ a b\\ "),
            (" ", "\\ "),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_a_name_or_none(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            let _either = (distinguished_name(&bytes), common_name(&bytes));
            let set = der(SET, &der(SEQUENCE, &bytes));
            let _either = (distinguished_name(&set), common_name(&set));
        }

        #[test]
        fn a_cut_subject_has_no_other_name(text in "[a-z]{1,30}", cut in 0..40_usize) {
            let whole = der(SET, &attribute(NAMES[0].0, UTF8_STRING, text.as_bytes()));
            let part = &whole[..cut.min(whole.len() - 1)];
            proptest::prop_assert_eq!(distinguished_name(part), None);
            proptest::prop_assert_eq!(distinguished_name(&whole), Some(format!("CN={text}")));
        }
    }
}
