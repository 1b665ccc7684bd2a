//! Values that are a number with a unit, or one word instead.

use std::time::Duration;

use anabranch_connectors::ByteSize;
use serde::{Deserialize, Deserializer, de};

/// Reads a duration such as `7d`, or `none`.
pub(super) fn duration_or_none<'de, D>(input: D) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    word_or(input, "none", duration)
}

/// Reads a duration such as `2m`, or `never`.
pub(super) fn duration_or_never<'de, D>(input: D) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    word_or(input, "never", duration)
}

/// Reads a size such as `10GiB`, or `none`.
pub(super) fn size_or_none<'de, D>(input: D) -> Result<Option<ByteSize>, D::Error>
where
    D: Deserializer<'de>,
{
    word_or(input, "none", str::parse)
}

/// Reads a size such as `128MiB`, or `default`.
pub(super) fn size_or_default<'de, D>(input: D) -> Result<Option<ByteSize>, D::Error>
where
    D: Deserializer<'de>,
{
    word_or(input, "default", str::parse)
}

/// Reads a size such as `256MiB`, or `auto`.
pub(super) fn size_or_auto<'de, D>(input: D) -> Result<Option<ByteSize>, D::Error>
where
    D: Deserializer<'de>,
{
    word_or(input, "auto", str::parse)
}

/// Reads a whole number, or `default`.
pub(super) fn number_or_default<'de, D>(input: D) -> Result<Option<i32>, D::Error>
where
    D: Deserializer<'de>,
{
    let number = |text: &str| {
        text.parse().map_err(|_not_a_number| format!("\"{text}\" is not a whole number"))
    };
    word_or(input, "default", number)
}

/// Reads text, or `none`.
pub(super) fn text_or_none<'de, D>(input: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    word_or(input, "none", |text| Ok(text.to_owned()))
}

/// Reads a duration such as `50ms`.
///
/// # Errors
/// A sentence that quotes what is no duration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_no_duration| format!("\"{text}\" is not a duration such as 500ms, 30s or 7d"))
}

fn word_or<'de, D, T>(
    input: D,
    word: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(input)?;
    if text == word {
        return Ok(None);
    }
    parse(&text).map(Some).map_err(|problem| de::Error::custom(format!("{problem}, or {word}")))
}
