//! Kafka's zigzag varints, as they stand in records.
//!
//! A signed number is folded so that small magnitudes are small (0, -1, 1, -2 → 0, 1, 2, 3), then written in groups
//! of seven bits, lowest first; the high bit says that more follow. At most 10 bytes for a `varlong`.
//!
//! Source: Kafka protocol guide, "Protocol Primitive Types"; Protocol Buffers, "Encoding".

/// Most bytes of one.
pub const LONGEST: usize = 10;

/// Appends `value`.
#[inline]
pub fn push(value: i64, out: &mut Vec<u8>) {
    let mut rest = fold(value);
    if rest < 0x80 {
        out.push(low_bits(rest));
        return;
    }
    if rest < 0x4000 {
        out.extend_from_slice(&[low_bits(rest) | 0x80, low_bits(rest >> 7)]);
        return;
    }
    let mut bytes = [0u8; LONGEST];
    let mut used = 0;
    for slot in &mut bytes {
        used += 1;
        if rest < 0x80 {
            *slot = low_bits(rest);
            break;
        }
        *slot = low_bits(rest) | 0x80;
        rest >>= 7;
    }
    out.extend_from_slice(bytes.get(..used).unwrap_or_default());
}

/// Up to six varints, one behind the other: a buffer that never grows asks nothing at each of them.
#[derive(Debug)]
pub struct Few {
    bytes: [u8; 6 * LONGEST],
    used: usize,
}

impl Few {
    /// None yet.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; 6 * LONGEST], used: 0 }
    }

    /// Appends `value`; a seventh long one would be cut off.
    #[inline]
    pub fn push(&mut self, value: i64) {
        let mut rest = fold(value);
        while rest >= 0x80 {
            self.put(low_bits(rest) | 0x80);
            rest >>= 7;
        }
        self.put(low_bits(rest));
    }

    /// Bytes so far.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.used
    }

    /// Whether there is none yet.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// What was appended.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    #[inline]
    fn put(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.used) {
            *slot = byte;
            self.used += 1;
        }
    }
}

impl Default for Few {
    fn default() -> Self {
        Self::new()
    }
}

/// How many bytes [`push`] appends for `value`.
#[inline]
#[must_use]
pub fn size(value: i64) -> usize {
    let bits = 64 - (fold(value) | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Takes a varint from the front of `bytes`; `None` when it is cut short or longer than ten bytes.
#[inline]
pub fn take(bytes: &mut &[u8]) -> Option<i64> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut value = u64::from(first & 0x7f);
    let mut more = first & 0x80 != 0;
    let mut shift = 7;
    while more {
        let (&byte, tail) = rest.split_first()?;
        rest = tail;
        if shift > 63 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        more = byte & 0x80 != 0;
    }
    *bytes = rest;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Takes a length and as many bytes; the outer `None` is damage, the inner one Kafka's null (length -1).
#[inline]
#[expect(clippy::option_option, reason = "damage and null are two answers")]
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = take(bytes)?;
    let Ok(length) = usize::try_from(length) else {
        return (length == -1).then_some(None);
    };
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(Some(head))
}

/// Appends a length and the bytes; `None` is written as length -1.
#[inline]
pub fn push_bytes(value: Option<&[u8]>, out: &mut Vec<u8>) {
    match value {
        Some(value) => {
            push(length(value.len()), out);
            out.extend_from_slice(value);
        }
        None => push(-1, out),
    }
}

/// A length in memory as Kafka's signed number.
#[inline]
#[must_use]
pub fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[inline]
fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: i64) {
            let mut bytes = Vec::new();
            push(value, &mut bytes);
            prop_assert_eq!(bytes.len(), size(value));
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take(&mut rest), Some(value));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            while take_bytes(&mut rest).is_some() && !rest.is_empty() {}
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol_guide() {
        for (value, expected) in [
            (0, &[0u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[126]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
        ] {
            let mut bytes = Vec::new();
            push(value, &mut bytes);
            assert_eq!(bytes, expected, "{value}");
        }
    }
}
