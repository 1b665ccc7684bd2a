//! From values to bytes.

use serde::Serialize;

use super::ClientError;

/// Turns values into the bytes of a record.
pub trait Serializer<T: ?Sized> {
    /// The bytes of `value`.
    ///
    /// # Errors
    /// [`ClientError::Format`] when it has none.
    fn serialize(&self, value: &T) -> Result<Vec<u8>, ClientError>;
}

/// Bytes as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

/// Text as UTF-8.
#[derive(Debug, Clone, Copy, Default)]
pub struct Text;

/// JSON, through serde.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

/// `MessagePack` with the names of fields, through serde.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessagePack;

impl Serializer<[u8]> for Raw {
    fn serialize(&self, value: &[u8]) -> Result<Vec<u8>, ClientError> {
        Ok(value.to_vec())
    }
}

impl Serializer<str> for Text {
    fn serialize(&self, value: &str) -> Result<Vec<u8>, ClientError> {
        Ok(value.as_bytes().to_vec())
    }
}

impl<T: Serialize + ?Sized> Serializer<T> for Json {
    fn serialize(&self, value: &T) -> Result<Vec<u8>, ClientError> {
        serde_json::to_vec(value).map_err(|error| ClientError::Format {
            what: "write a value as JSON",
            cause: error.to_string(),
        })
    }
}

impl<T: Serialize + ?Sized> Serializer<T> for MessagePack {
    fn serialize(&self, value: &T) -> Result<Vec<u8>, ClientError> {
        rmp_serde::to_vec_named(value).map_err(|error| ClientError::Format {
            what: "write a value as MessagePack",
            cause: error.to_string(),
        })
    }
}
