//! The primitive types of Kafka's protocol, in the versions without tagged fields.
//!
//! | type            | bytes                                                  |
//! |-----------------|--------------------------------------------------------|
//! | int8 … int64    | 1, 2, 4, 8, big-endian                                 |
//! | string          | int16 length and UTF-8; length -1 is null              |
//! | bytes           | int32 length and bytes; length -1 is null              |
//! | array           | int32 count and the elements; count -1 is null         |
//!
//! Nothing is allocated by a length or count that was claimed: strings and bytes are borrowed, and elements are read
//! one by one until the bytes end.
//!
//! Source: Kafka protocol guide, "Protocol Primitive Types".

/// Takes values from the front of an answer; each gives `None` when the bytes end before it or cannot be that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        self.array::<1>().map(|[byte]| byte != 0)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A string; null reads as empty.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        match self.i16()? {
            -1 => Some(""),
            length => str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok(),
        }
    }

    /// Bytes; null reads as empty.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        match self.i32()? {
            -1 => Some(&[]),
            length => self.take(usize::try_from(length).ok()?),
        }
    }

    /// Reads an array; null reads as empty.
    pub(super) fn each<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = match self.i32()? {
            -1 => 0,
            count => u32::try_from(count).ok()?,
        };
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Some(elements)
    }
}

/// Appends a string.
pub(super) fn push_string(text: &str, out: &mut Vec<u8>) {
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    let kept = usize::try_from(length).unwrap_or_default();
    out.extend_from_slice(text.as_bytes().get(..kept).unwrap_or_default());
}

/// Appends a string or null.
pub(super) fn push_nullable(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => push_string(text, out),
        None => out.extend_from_slice(&(-1i16).to_be_bytes()),
    }
}

/// Appends a length or count.
pub(super) fn push_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

/// Appends bytes.
pub(super) fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    push_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_count_beyond_the_bytes_is_refused_without_room_for_it() {
        let mut bytes = i32::MAX.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 40]);
        assert_eq!(Reader::new(&bytes).each(Reader::i16), None);
        assert_eq!(Reader::new(&bytes).bytes(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts: Vec<String>, data: Vec<u8>) {
            let mut bytes = Vec::new();
            push_bytes(&data, &mut bytes);
            push_count(texts.len(), &mut bytes);
            texts.iter().for_each(|text| push_string(text, &mut bytes));
            push_nullable(None, &mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.bytes(), Some(data.as_slice()));
            prop_assert_eq!(reader.each(|one| one.string().map(str::to_owned)), Some(texts));
            prop_assert_eq!((reader.string(), reader.bool()), (Some(""), None));
        }
    }
}
