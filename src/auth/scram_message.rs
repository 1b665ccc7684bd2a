//! The client's two messages of a SCRAM exchange (RFC 5802, 7).
//!
//! | message | form |
//! |---|---|
//! | first | `n,` or `y,`, then `[a=identity],[m=…,]n=name,r=nonce[,extension…]` |
//! | final | `c=base64 of what stands before n= in the first,r=nonce[,extension…],p=base64 of the proof` |
//!
//! In names, `=2C` is a comma and `=3D` an equals sign. `p=` in the first place asks for a binding to the TLS channel,
//! which no client of Kafka does and which is not offered. Unknown extensions are left unread, as the RFC wants it,
//! mandatory ones (`m=`) are refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Longest message in bytes.
const MESSAGE_MAX: usize = 16 * 1024;
/// Longest name and longest nonce in bytes.
const FIELD_MAX: usize = 1024;

/// The first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct First<'a> {
    /// What the final message must repeat.
    pub header: &'a str,
    /// What is signed.
    pub bare: &'a str,
    pub name: String,
    pub nonce: &'a str,
}

/// The final message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Final<'a> {
    /// The header that the first message had, says the client.
    pub header: Vec<u8>,
    pub nonce: &'a str,
    pub proof: Vec<u8>,
    /// What is signed.
    pub without_proof: &'a str,
}

impl<'a> First<'a> {
    /// # Errors
    /// What is wrong, for the client.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let text = text(message)?;
        let (binding, rest) = text.split_once(',').ok_or("the first message has no header")?;
        match binding {
            "n" | "y" => {}
            bound if bound.starts_with("p=") => return Err("channel binding is not offered"),
            _ => return Err("the first message has no header"),
        }
        let (identity, bare) = rest.split_once(',').ok_or("the first message has no header")?;
        let identity = match identity {
            "" => None,
            named => {
                let named = named.strip_prefix("a=").ok_or("the header has an unknown part")?;
                Some(unescape(named).ok_or("the authorization identity is malformed")?)
            }
        };
        let header = text.strip_suffix(bare).ok_or("the first message has no header")?;
        let mut parts = bare.split(',');
        let name = attribute(parts.next(), "n=").ok_or("the first message has no name")?;
        let name = unescape(name).ok_or("the name is malformed")?;
        let nonce = attribute(parts.next(), "r=").filter(|nonce| is_nonce(nonce));
        let nonce = nonce.ok_or("the first message has no proper nonce")?;
        if parts.any(|extension| extension == "tokenauth=true") {
            return Err("delegation tokens are not offered");
        }
        if identity.is_some_and(|identity| identity != name) {
            return Err("the authorization identity differs from the name");
        }
        Ok(Self { header, bare, name, nonce })
    }
}

impl<'a> Final<'a> {
    /// # Errors
    /// What is wrong, for the client.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let text = text(message)?;
        let (without_proof, proof) =
            text.rsplit_once(",p=").ok_or("the final message has no proof")?;
        let proof = STANDARD.decode(proof).map_err(|_quiet| "the proof is not base64")?;
        let mut parts = without_proof.split(',');
        let header = attribute(parts.next(), "c=").ok_or("the final message has no header")?;
        let header = STANDARD.decode(header).map_err(|_quiet| "the header is not base64")?;
        let nonce = attribute(parts.next(), "r=").ok_or("the final message has no nonce")?;
        Ok(Self { header, nonce, proof, without_proof })
    }
}

fn text(message: &[u8]) -> Result<&str, &'static str> {
    if message.len() > MESSAGE_MAX {
        return Err("the message is too long");
    }
    let text = std::str::from_utf8(message).map_err(|_quiet| "the message is not UTF-8")?;
    if text.contains('\0') { Err("the message has a NUL") } else { Ok(text) }
}

fn attribute<'a>(part: Option<&'a str>, name: &str) -> Option<&'a str> {
    part?.strip_prefix(name)
}

fn is_nonce(nonce: &str) -> bool {
    (1..=FIELD_MAX).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A name as it was before commas and equals signs were written otherwise; `None` for what cannot come out of that.
fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            plain.push(',');
            plain.push_str(rest);
        } else {
            plain.push('=');
            plain.push_str(part.strip_prefix("3D")?);
        }
    }
    (1..=FIELD_MAX).contains(&plain.len()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_message_is_taken_apart() {
        let first = First::parse(b"y,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=fyko+d2lbb,ext=1").unwrap();
        assert_eq!(first.header, "y,a=a=2Cb=3Dc,");
        assert_eq!(first.bare, "n=a=2Cb=3Dc,r=fyko+d2lbb,ext=1");
        assert_eq!((first.name.as_str(), first.nonce), ("a,b=c", "fyko+d2lbb"));
    }

    #[test]
    fn a_first_message_of_another_form_is_refused() {
        let long_name = format!("n,,n={},r=abc", "a".repeat(FIELD_MAX + 1));
        let long_nonce = format!("n,,n=a,r={}", "a".repeat(FIELD_MAX + 1));
        let long = format!("n,,n=a,r=abc,{}", "a".repeat(MESSAGE_MAX));
        for (message, problem) in [
            ("", "the first message has no header"),
            ("n", "the first message has no header"),
            ("n,", "the first message has no header"),
            ("x,,n=a,r=abc", "the first message has no header"),
            ("n,,", "the first message has no name"),
            ("p=tls-unique,,n=a,r=abc", "channel binding is not offered"),
            ("n,b=a,n=a,r=abc", "the header has an unknown part"),
            ("n,a=b,n=a,r=abc", "the authorization identity differs from the name"),
            ("n,,m=x,n=a,r=abc", "the first message has no name"),
            ("n,,n=,r=abc", "the name is malformed"),
            ("n,,n=a=2c,r=abc", "the name is malformed"),
            ("n,,n=a=,r=abc", "the name is malformed"),
            ("n,,n=a", "the first message has no proper nonce"),
            ("n,,n=a,r=", "the first message has no proper nonce"),
            ("n,,n=a,r=a b", "the first message has no proper nonce"),
            ("n,,n=a,r=\u{e4}", "the first message has no proper nonce"),
            ("n,,n=a,r=abc,tokenauth=true", "delegation tokens are not offered"),
            ("n,,n=a\0,r=abc", "the message has a NUL"),
            (&long_name, "the name is malformed"),
            (&long_nonce, "the first message has no proper nonce"),
            (&long, "the message is too long"),
        ] {
            assert_eq!(First::parse(message.as_bytes()), Err(problem), "{message:.40}");
        }
        assert_eq!(First::parse(b"n,,n=\xff,r=abc"), Err("the message is not UTF-8"));
    }

    #[test]
    fn a_final_message_of_another_form_is_refused() {
        for (message, problem) in [
            ("", "the final message has no proof"),
            ("c=biws,r=abc", "the final message has no proof"),
            ("c=biws,r=abc,p=!", "the proof is not base64"),
            ("c=!,r=abc,p=AA==", "the header is not base64"),
            ("r=abc,c=biws,p=AA==", "the final message has no header"),
            ("c=biws,p=AA==", "the final message has no nonce"),
        ] {
            assert_eq!(Final::parse(message.as_bytes()), Err(problem), "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _either = First::parse(&bytes);
            let _either = Final::parse(&bytes);
        }

        #[test]
        fn names_come_out_as_they_went_in(name in "[a-z,=ä]{1,20}", nonce in "[!-+\\--~]{1,30}") {
            let escaped = name.replace('=', "=3D").replace(',', "=2C");
            let message = format!("n,,n={escaped},r={nonce}");
            let first = First::parse(message.as_bytes()).unwrap();
            proptest::prop_assert_eq!((first.name, first.nonce), (name, nonce.as_str()));
        }
    }
}
