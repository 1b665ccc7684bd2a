//! APIs that Kafka 4.3.1 has and the hub has not: each is refused with an answer, so that a client says what is missing
//! where it would wait, or see a connection that ends.
//!
//! Of the request nothing is read but the names of groups. An answer is a text: `i` is an integer of 4 bytes that is 0, `h` one of 8
//! bytes that is -1, `e` the error, `m` the words, `s` an empty string, `n` one that is not there, `a` an empty array, or no bytes, `-`
//! one that is not there, `~` a structure that is not there, `o` rights that are not told; `@2-` behind
//! one is the first version that has it; `g` is the name of a group. Source: Kafka's message definitions.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError as Code;

/// One API that is refused.
#[derive(Debug)]
pub(super) struct RefusedApi {
    pub(super) key: i16,
    /// What is advertised.
    pub(super) versions: (i16, i16),
    flexible_from: i16,
    code: Code,
    words: &'static str,
    answer: &'static str,
    /// What comes for each group that is asked for, behind the rest.
    each: Option<&'static str>,
}

const fn refused(
    key: i16,
    versions: (i16, i16),
    code: Code,
    words: &'static str,
    answer: &'static str,
) -> RefusedApi {
    RefusedApi { key, versions, flexible_from: 0, code, words, answer, each: None }
}

pub(super) const NO_SHARES: &str = "there are no share groups here (KIP-932)";
const NO_STREAMS: &str =
    "groups of the protocol for Streams (KIP-1071) are not served here; set group.protocol=classic";
const ONE: &str = "there is one process here, and no quorum to join or leave";
/// Tokens are asked for where passwords are, and switched off there.
const TOKENS: Code = Code::DelegationTokenAuthDisabled;
const NONE: Code = Code::UnsupportedVersion;
/// What Kafka says of a group of another kind; clients then ask for it as one of the old kind.
const OTHER: Code = Code::GroupIdNotFound;
const NO_NEW: &str = "it is no group of the new protocol (KIP-848)";

/// Every API that is refused, by key.
#[rustfmt::skip]
pub(super) const REFUSED: &[RefusedApi] = &[
    RefusedApi { flexible_from: 2, ..refused(38, (1, 3), TOKENS, "", "e s s s@3- s@3- h h h s a i") },
    RefusedApi { flexible_from: 2, ..refused(39, (1, 2), TOKENS, "", "e h i") },
    RefusedApi { flexible_from: 2, ..refused(40, (1, 2), TOKENS, "", "e h i") },
    RefusedApi { flexible_from: 2, ..refused(41, (1, 3), TOKENS, "", "e a i") },
    RefusedApi { each: Some("e m g s i i s a o"), ..refused(69, (0, 1), OTHER, NO_NEW, "i") },
    refused(76, (1, 1), NONE, NO_SHARES, "i e m n i i ~"),
    RefusedApi { each: Some("e m g s i i s a o"), ..refused(77, (1, 1), OTHER, NO_SHARES, "i") },
    refused(78, (1, 2), NONE, NO_SHARES, "i e m i a a"),
    refused(79, (1, 2), NONE, NO_SHARES, "i e m i@2- a a"),
    refused(80, (0, 1), NONE, ONE, "i e m"),
    refused(81, (0, 0), NONE, ONE, "i e m"),
    // Between brokers only: results for no topics.
    refused(83, (0, 0), NONE, NO_SHARES, "a"),
    refused(84, (0, 0), NONE, NO_SHARES, "a"),
    refused(85, (0, 1), NONE, NO_SHARES, "a"),
    refused(86, (0, 0), NONE, NO_SHARES, "a"),
    refused(87, (0, 1), NONE, NO_SHARES, "a"),
    refused(88, (0, 0), NONE, NO_STREAMS, "i e m s i i i i - - - - i -"),
    RefusedApi { each: Some("e m g s i i ~ a o"), ..refused(89, (0, 0), OTHER, NO_STREAMS, "i") },
    refused(91, (0, 0), NONE, NO_SHARES, "i e m a"),
    refused(92, (0, 0), NONE, NO_SHARES, "i e m a"),
];

/// The whole frame that answers the request with that body; `None` when its version is beyond.
pub(super) fn answer(call: Refusal, body: &[u8]) -> Option<Bytes> {
    let Refusal { api, version, correlation, asks_passwords } = call;
    let code = if api.code == TOKENS && !asks_passwords {
        Code::DelegationTokenRequestNotAllowed
    } else {
        api.code
    };
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i32(correlation);
    let flexible = api.is_flexible(version);
    if flexible {
        frame.put_u8(0);
    }
    let mut writer = Writer { frame, version, flexible, code, words: api.words };
    writer.put_all(api.answer, &[]);
    if let Some(each) = api.each {
        let names = group_names(body)?;
        writer.put_length(names.len());
        for name in names {
            writer.put_all(each, name);
            writer.frame.put_u8(0);
        }
    }
    let mut frame = writer.frame;
    if flexible {
        frame.put_u8(0);
    }
    let length = i32::try_from(frame.len().checked_sub(4)?).ok()?;
    frame.get_mut(..4)?.copy_from_slice(&length.to_be_bytes());
    Some(frame.freeze())
}

/// A request that is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) api: &'static RefusedApi,
    pub(super) version: i16,
    pub(super) correlation: i32,
    /// Whether the listener asks for passwords.
    pub(super) asks_passwords: bool,
}

/// Finds an API that is refused, if it has that version.
pub(super) fn find(key: i16, version: i16) -> Option<&'static RefusedApi> {
    let api = REFUSED.iter().find(|api| api.key == key)?;
    let (first, last) = api.versions;
    (first..=last).contains(&version).then_some(api)
}

impl RefusedApi {
    pub(super) const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// The names that a body begins with; `None` when they are not there.
fn group_names(body: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = body;
    let count = take_length(&mut rest)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let length = take_length(&mut rest)?;
        let (name, behind) = rest.split_at_checked(length)?;
        // What is no text cannot be told again.
        str::from_utf8(name).ok()?;
        names.push(name);
        rest = behind;
    }
    Some(names)
}

/// A length as flexible versions have it.
fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0usize;
    for shift in [0, 7, 14, 21] {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(length.saturating_sub(1));
        }
    }
    None
}

struct Writer {
    frame: BytesMut,
    version: i16,
    flexible: bool,
    code: Code,
    words: &'static str,
}

impl Writer {
    fn put_all(&mut self, fields: &str, group: &[u8]) {
        for field in fields.split(' ') {
            let (kind, from) = field.split_once('@').unwrap_or((field, "0-"));
            let from: i16 = from.trim_end_matches('-').parse().unwrap_or(0);
            if self.version >= from {
                self.put(kind, group);
            }
        }
    }

    fn put(&mut self, kind: &str, group: &[u8]) {
        match (kind, self.flexible) {
            ("i", _) => self.frame.put_i32(0),
            ("o", _) => self.frame.put_i32(i32::MIN),
            ("h", _) => self.frame.put_i64(-1),
            ("e", _) => self.frame.put_i16(self.code.code()),
            ("s" | "a", true) => self.frame.put_u8(1),
            ("s", false) => self.frame.put_i16(0),
            ("a", false) => self.frame.put_i32(0),
            ("n", false) => self.frame.put_i16(-1),
            ("m", _) => self.put_bytes(self.words.as_bytes()),
            ("g", _) => self.put_bytes(group),
            ("~", _) => self.frame.put_i8(-1),
            // A string or an array that is not there.
            _ => self.frame.put_u8(0),
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_length(bytes.len());
        self.frame.put_slice(bytes);
    }

    fn put_length(&mut self, length: usize) {
        let mut rest = length + 1;
        while rest >= 0x80 {
            let [low, ..] = rest.to_le_bytes();
            self.frame.put_u8(low | 0x80);
            rest >>= 7;
        }
        let [low, ..] = rest.to_le_bytes();
        self.frame.put_u8(low);
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ApiKey, ResponseKind, ShareGroupDescribeResponse};
    use kafka_protocol::protocol::Decodable;

    use super::*;

    fn body(key: i16, version: i16, request: &[u8]) -> Bytes {
        let api = find(key, version).unwrap();
        let refusal = Refusal { api, version, correlation: 7, asks_passwords: false };
        let mut frame = answer(refusal, request).unwrap();
        let length = frame.split_to(4);
        assert_eq!(
            usize::try_from(i32::from_be_bytes(*length.first_chunk().unwrap())).unwrap(),
            frame.len()
        );
        frame.slice(4 + usize::from(api.is_flexible(version))..)
    }

    #[test]
    fn the_protocols_own_decoder_reads_every_refusal_that_it_knows() {
        let mut read = 0;
        for api in REFUSED {
            let Ok(key) = ApiKey::try_from(api.key) else { continue };
            let known = key.valid_versions();
            let (first, last) = api.versions;
            for version in first.max(known.min)..=last.min(known.max) {
                let mut body = body(api.key, version, &[1, 0, 0]);
                ResponseKind::decode(key, &mut body, version).unwrap();
                assert!(body.is_empty(), "{} bytes are left of {key:?} {version}", body.len());
                read += 1;
            }
        }
        assert!(read > 20, "{read}");
    }

    #[test]
    fn each_group_that_is_asked_for_is_named_with_its_refusal() {
        let mut answer = body(77, 1, &[3, 2, b'a', 3, b'b', b'c', 1, 0]);
        let answer = ShareGroupDescribeResponse::decode(&mut answer, 1).unwrap();
        let told: Vec<_> =
            answer.groups.iter().map(|group| (group.group_id.as_str(), group.error_code)).collect();
        assert_eq!(told, [("a", 69), ("bc", 69)]);
        assert!(answer.groups[0].error_message.as_ref().unwrap().contains("KIP-932"));
        for cut in [&[3u8][..], &[3, 9, b'a'], &[2, 2, 0xff, 1, 0], &[]] {
            let refusal = Refusal {
                api: find(77, 1).unwrap(),
                version: 1,
                correlation: 7,
                asks_passwords: true,
            };
            assert_eq!(super::answer(refusal, cut), None);
        }
    }
}
