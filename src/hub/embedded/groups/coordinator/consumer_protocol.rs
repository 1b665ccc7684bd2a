//! What members of a `consumer` group put into their metadata and their assignments.
//!
//! Big-endian, without compact or tagged fields; strings have an `int16` length, bytes and arrays an `int32` one, −1 is
//! null. A version above 3 is read as 3; what follows the known fields is ignored.
//!
//! | subscription | type | versions |
//! |---|---|---|
//! | version | `int16` | 0+ |
//! | topics | array of strings | 0+ |
//! | user data | nullable bytes | 0+ |
//! | owned partitions | array of topic and array of `int32` | 1+ |
//! | generation of the owned partitions | `int32` | 2+ |
//! | rack | nullable string | 3+ |
//!
//! | assignment | type | versions |
//! |---|---|---|
//! | version | `int16` | 0+ |
//! | partitions | array of topic and array of `int32` | 0+ |
//! | user data | nullable bytes | 0+ |
//!
//! Memory grows with the bytes that are there, whatever a count says. Source: the `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment` schemas of the Kafka protocol; KIP-429, KIP-792, KIP-881.

use std::fmt;

/// The highest version of both.
#[cfg(test)]
pub(crate) const VERSION_MAX: i16 = 3;

/// Partitions by topic.
pub(crate) type TopicPartitions = Vec<(String, Vec<i32>)>;

/// Bytes that are no subscription or assignment, or one that does not fit into the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The part that is wrong.
    pub(crate) what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not of the consumer protocol, because of the {}", self.what)
    }
}

impl std::error::Error for Malformed {}

/// What a consumer is subscribed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The topics.
    pub(crate) topics: Vec<String>,
    /// What its assignor wants to know.
    pub(crate) user_data: Option<Vec<u8>>,
    /// The partitions that it has.
    pub(crate) owned_partitions: TopicPartitions,
    /// The generation in which it got them; −1 for none.
    pub(crate) generation: i32,
    /// Where it runs.
    pub(crate) rack: Option<String>,
}

impl Subscription {
    /// Reads metadata.
    ///
    /// # Errors
    /// When they are cut off, have a negative version or a text that is no UTF-8.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { bytes };
        let version = reader.version()?;
        let topics = reader.array("topics", |reader| reader.string("topics"))?;
        let user_data = reader.nullable_bytes("user data")?;
        let owned_partitions = match version {
            1.. => reader.partitions("owned partitions")?,
            _ => Vec::new(),
        };
        let generation = if version >= 2 { reader.int32("generation")? } else { -1 };
        let rack = if version >= 3 { reader.nullable_string("rack")? } else { None };
        Ok(Self { topics, user_data, owned_partitions, generation, rack })
    }

    /// Writes metadata of a version from 0 to [`VERSION_MAX`].
    ///
    /// # Errors
    /// When a string or an array is longer than the protocol has room for.
    pub(crate) fn encode(&self, version: i16) -> Result<Vec<u8>, Malformed> {
        let mut writer = Writer { bytes: version.to_be_bytes().to_vec() };
        writer.length(self.topics.len(), "topics")?;
        for topic in &self.topics {
            writer.string(topic, "topics")?;
        }
        writer.nullable_bytes(self.user_data.as_deref())?;
        if version >= 1 {
            writer.partitions(&self.owned_partitions, "owned partitions")?;
        }
        if version >= 2 {
            writer.int32(self.generation);
        }
        match &self.rack {
            Some(rack) if version >= 3 => writer.string(rack, "rack")?,
            None if version >= 3 => writer.bytes.extend((-1_i16).to_be_bytes()),
            Some(_) | None => {}
        }
        Ok(writer.bytes)
    }
}

/// What a consumer is to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The partitions.
    pub(crate) partitions: TopicPartitions,
    /// What the assignor wants it to know.
    pub(crate) user_data: Option<Vec<u8>>,
}

impl Assignment {
    /// Reads an assignment. No bytes at all are none: the leader did not name the member.
    ///
    /// # Errors
    /// When it is cut off, has a negative version or a text that is no UTF-8.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader { bytes };
        reader.version()?;
        let partitions = reader.partitions("partitions")?;
        let user_data = reader.nullable_bytes("user data")?;
        Ok(Self { partitions, user_data })
    }

    /// Writes an assignment of a version from 0 to [`VERSION_MAX`].
    ///
    /// # Errors
    /// When a string or an array is longer than the protocol has room for.
    pub(crate) fn encode(&self, version: i16) -> Result<Vec<u8>, Malformed> {
        let mut writer = Writer { bytes: version.to_be_bytes().to_vec() };
        writer.partitions(&self.partitions, "partitions")?;
        writer.nullable_bytes(self.user_data.as_deref())?;
        Ok(writer.bytes)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Malformed { what })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Malformed { what })?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn int16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        self.chunk(what).map(i16::from_be_bytes)
    }

    fn int32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        self.chunk(what).map(i32::from_be_bytes)
    }

    fn version(&mut self) -> Result<i16, Malformed> {
        let version = self.int16("version")?;
        if version < 0 { Err(Malformed { what: "version" }) } else { Ok(version) }
    }

    /// The bytes of that length; −1 is null.
    fn nullable(&mut self, length: i32, what: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).ok().ok_or(Malformed { what })?;
        self.take(length, what).map(Some)
    }

    fn nullable_bytes(&mut self, what: &'static str) -> Result<Option<Vec<u8>>, Malformed> {
        let length = self.int32(what)?;
        Ok(self.nullable(length, what)?.map(<[u8]>::to_vec))
    }

    fn nullable_string(&mut self, what: &'static str) -> Result<Option<String>, Malformed> {
        let length = self.int16(what)?;
        let Some(bytes) = self.nullable(i32::from(length), what)? else { return Ok(None) };
        let text = str::from_utf8(bytes).ok().ok_or(Malformed { what })?;
        Ok(Some(text.to_owned()))
    }

    fn string(&mut self, what: &'static str) -> Result<String, Malformed> {
        self.nullable_string(what)?.ok_or(Malformed { what })
    }

    fn array<T>(
        &mut self,
        what: &'static str,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = usize::try_from(self.int32(what)?).ok().ok_or(Malformed { what })?;
        // The room for the items grows as they are read: a count alone costs nothing.
        (0..count).map(|_| item(self)).collect()
    }

    fn partitions(&mut self, what: &'static str) -> Result<TopicPartitions, Malformed> {
        self.array(what, |reader| {
            let topic = reader.string(what)?;
            Ok((topic, reader.array(what, |reader| reader.int32(what))?))
        })
    }
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn int32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn length(&mut self, length: usize, what: &'static str) -> Result<(), Malformed> {
        self.int32(i32::try_from(length).ok().ok_or(Malformed { what })?);
        Ok(())
    }

    fn string(&mut self, text: &str, what: &'static str) -> Result<(), Malformed> {
        let length = i16::try_from(text.len()).ok().ok_or(Malformed { what })?;
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(text.as_bytes());
        Ok(())
    }

    fn nullable_bytes(&mut self, bytes: Option<&[u8]>) -> Result<(), Malformed> {
        let Some(bytes) = bytes else {
            self.int32(-1);
            return Ok(());
        };
        self.length(bytes.len(), "user data")?;
        self.bytes.extend(bytes);
        Ok(())
    }

    fn partitions(
        &mut self,
        partitions: &TopicPartitions,
        what: &'static str,
    ) -> Result<(), Malformed> {
        self.length(partitions.len(), what)?;
        for (topic, partitions) in partitions {
            self.string(topic, what)?;
            self.length(partitions.len(), what)?;
            for partition in partitions {
                self.int32(*partition);
            }
        }
        Ok(())
    }
}
