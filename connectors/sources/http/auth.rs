//! Who may send.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use crate::contract::secret::Secret;

/// Credentials that requests must carry: `none`, `{ bearer: TOKEN }` or `{ basic: { username: …, password: … } }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Auth {
    /// Everybody who can reach the address.
    #[default]
    None,
    /// `Authorization: Bearer TOKEN`
    Bearer(Secret),
    /// `Authorization: Basic …`
    Basic(Basic),
}

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The name, without a colon.
    pub username: String,
    /// The password.
    pub password: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    bearer: Option<Secret>,
    basic: Option<Basic>,
}

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Auth;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("none, { bearer: TOKEN } or { basic: { username: …, password: … } }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Auth, E> {
                if text == "none" {
                    Ok(Auth::None)
                } else {
                    Err(E::unknown_variant(text, &["none"]))
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Auth, A::Error> {
                match Block::deserialize(MapAccessDeserializer::new(map))? {
                    Block { bearer: Some(token), basic: None } => Ok(Auth::Bearer(token)),
                    Block { bearer: None, basic: Some(basic) } => Ok(Auth::Basic(basic)),
                    Block { .. } => {
                        Err(de::Error::custom("exactly one of bearer and basic is needed"))
                    }
                }
            }
        }

        input.deserialize_any(Visitor)
    }
}

/// What is compared for each request, made once.
#[derive(Debug)]
pub(super) struct Guard {
    expected: Option<(&'static str, Secret)>,
}

impl Guard {
    pub(super) fn new(auth: &Auth) -> Self {
        let expected = match auth {
            Auth::None => None,
            Auth::Bearer(token) => Some(("Bearer", token.clone())),
            Auth::Basic(Basic { username, password }) => {
                let pair = STANDARD.encode(format!("{username}:{}", password.reveal()));
                Some(("Basic", Secret::from(pair)))
            }
        };
        Self { expected }
    }

    /// `Ok` when the header `Authorization` is right, else what `WWW-Authenticate` says.
    pub(super) fn admits(&self, header: Option<&HeaderValue>) -> Result<(), &'static str> {
        let Some((scheme, secret)) = &self.expected else {
            return Ok(());
        };
        let given = header.map_or(&b""[..], HeaderValue::as_bytes);
        let (given_scheme, credentials) = given.split_at(given.len().min(scheme.len()));
        let credentials = credentials.trim_ascii();
        let right = given_scheme.eq_ignore_ascii_case(scheme.as_bytes())
            & is_same(credentials, secret.reveal().as_bytes());
        match (right, *scheme) {
            (true, _) => Ok(()),
            (false, "Basic") => Err("Basic realm=\"anabranch\", charset=\"UTF-8\""),
            (false, _) => Err("Bearer realm=\"anabranch\""),
        }
    }
}

/// Compares in a time that depends on the length of what is given alone.
fn is_same(given: &[u8], secret: &[u8]) -> bool {
    let mut different = given.len() ^ secret.len();
    for (at, byte) in given.iter().enumerate() {
        different |= usize::from(byte ^ secret.get(at).unwrap_or(&0));
    }
    std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Auth, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_block_names_one_kind_of_credentials() {
        assert_eq!(read("\"none\""), Ok(Auth::None));
        assert_eq!(read(r#"{"bearer": "t"}"#), Ok(Auth::Bearer("t".to_owned().into())));
        assert!(read(r#"{"basic": {"username": "u", "password": "p"}}"#).is_ok());
        for text in ["\"all\"", "{}", r#"{"bearer": "t", "basic": null, "x": 1}"#, "7"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_right_credentials_are_admitted() {
        let basic = Basic { username: "u".to_owned(), password: "p:w".to_owned().into() };
        for (auth, good) in [
            (Auth::Bearer("token".to_owned().into()), "bearer token"),
            (Auth::Basic(basic), "Basic dTpwOnc="),
        ] {
            let guard = Guard::new(&auth);
            let admits = |text: &str| guard.admits(Some(&HeaderValue::from_str(text).unwrap()));
            assert_eq!(admits(good), Ok(()));
            assert!(guard.admits(None).is_err());
            let cut = good.strip_suffix(|_: char| true).unwrap();
            for bad in ["", "Bearer", "Basic", "Bearer ", cut, &format!("{good}x"), "Bearer tokem"]
            {
                assert!(admits(bad).is_err(), "{bad}");
            }
        }
        assert_eq!(Guard::new(&Auth::None).admits(None), Ok(()));
    }
}
