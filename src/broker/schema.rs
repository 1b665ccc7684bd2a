//! Looks through a request before it is decoded, so that no count which a peer claims makes room for what is not there.
//!
//! The decoder of `kafka-protocol` makes room for as many elements as an array claims to have; thirty bytes can claim
//! four thousand millions. Here the layout of each request is walked first: every element must be there, and there may
//! be so many in all.
//!
//! A layout is a text: `b` one byte, `h` `i` `l` integers of 2, 4 and 8 bytes, `u` a UUID, `s` a string, `y` bytes,
//! `*` before one of them an array of it, `[…]` an array of structures, `?[…]` one structure that may be missing; `@2-5`, `@2-`, `@-5` behind a field are the
//! versions that have it. Structures end with tagged fields where the version is flexible. Source: Kafka's message
//! definitions, KIP-482.

/// Elements of all arrays together that a request may have.
const ELEMENTS_MAX: usize = 200_000;
/// Tagged fields that a structure may have.
const TAGS_MAX: u64 = 64;

/// Whether `bytes` are one whole request of that layout.
pub(super) fn is_sound(layout: &str, version: i16, flexible: bool, bytes: &[u8]) -> bool {
    let mut walk = Walk { layout: layout.as_bytes(), bytes, version, flexible, elements: 0 };
    walk.structure(0).is_some()
}

/// Whether `bytes` begin with tagged fields.
pub(super) fn has_tags(bytes: &[u8]) -> bool {
    let mut walk = Walk { layout: &[], bytes, version: 0, flexible: true, elements: 0 };
    walk.tags().is_some()
}

/// Where the array of a layout that begins at `at` closes.
pub(super) fn closing(layout: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, byte) in layout.get(at..)?.iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return Some(at + offset),
            b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

struct Walk<'a> {
    layout: &'a [u8],
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    /// Walks a structure whose layout begins at `at`; gives where its layout ends.
    fn structure(&mut self, mut at: usize) -> Option<usize> {
        loop {
            match self.layout.get(at) {
                None | Some(b']') => {
                    if self.flexible {
                        self.tags()?;
                    }
                    return Some(at);
                }
                Some(b' ') => at += 1,
                Some(b'?') => {
                    // One byte says whether it is there.
                    if self.take(1)? == [1] {
                        self.structure(at + 2)?;
                    }
                    at = closing(self.layout, at + 1)? + 1;
                }
                Some(b'[') => {
                    let (present, next) = self.versions(closing(self.layout, at)? + 1);
                    if present {
                        for _ in 0..self.count()? {
                            self.structure(at + 1)?;
                        }
                    }
                    at = next;
                }
                Some(b'*') => {
                    let kind = *self.layout.get(at + 1)?;
                    let (present, next) = self.versions(at + 2);
                    if present {
                        for _ in 0..self.count()? {
                            self.primitive(kind)?;
                        }
                    }
                    at = next;
                }
                Some(kind) => {
                    let kind = *kind;
                    let (present, next) = self.versions(at + 1);
                    if present {
                        self.primitive(kind)?;
                    }
                    at = next;
                }
            }
        }
    }

    /// Whether the field before `at` is in this version, and where the next one begins.
    fn versions(&self, at: usize) -> (bool, usize) {
        if self.layout.get(at) != Some(&b'@') {
            return (true, at);
        }
        let rest = self.layout.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'-');
        let end = end.unwrap_or(rest.len());
        let text = str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (from.parse().unwrap_or(0), to.parse().unwrap_or(i16::MAX));
        ((from..=to).contains(&self.version), at + 1 + end)
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn primitive(&mut self, kind: u8) -> Option<()> {
        let bytes = match kind {
            b'b' => 1,
            b'h' => 2,
            b'i' => 4,
            b'l' => 8,
            b'u' => 16,
            b's' => self.length(false)?,
            b'y' => self.length(true)?,
            _ => return None,
        };
        self.take(bytes).map(|_| ())
    }

    /// The length of a string or of bytes; those that are null have none.
    fn length(&mut self, wide: bool) -> Option<usize> {
        if self.flexible {
            return Some(usize::try_from(self.varint()?).ok()?.saturating_sub(1));
        }
        let length = if wide {
            i32::from_be_bytes(*self.take(4)?.first_chunk()?)
        } else {
            i32::from(i16::from_be_bytes(*self.take(2)?.first_chunk()?))
        };
        if length == -1 { Some(0) } else { usize::try_from(length).ok() }
    }

    /// The number of elements of an array; one that is null has none.
    fn count(&mut self) -> Option<usize> {
        let count = self.length(true)?;
        self.elements = self.elements.checked_add(count)?;
        // Every element has a byte at least.
        (count <= self.bytes.len() && self.elements <= ELEMENTS_MAX).then_some(count)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn tags(&mut self) -> Option<()> {
        let count = self.varint()?;
        if count > TAGS_MAX {
            return None;
        }
        for _ in 0..count {
            self.varint()?;
            let length = usize::try_from(self.varint()?).ok()?;
            self.take(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAYOUT: &str = "s@3- h [s *i [i y]@4-] b@-4";

    #[test]
    fn a_request_is_walked_as_its_version_says() {
        let mut old = vec![0, 5];
        old.extend([0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8]);
        old.push(1);
        assert!(is_sound(LAYOUT, 2, false, &old));
        assert!(!is_sound(LAYOUT, 3, false, &old));
        assert!(!is_sound(LAYOUT, 2, false, &old[..old.len() - 1]));
        let new = [2, b'x', 0, 5, 2, 2, b't', 1, 2, 0, 0, 0, 9, 3, 1, 2, 0, 0, 0];
        assert!(is_sound(LAYOUT, 5, true, &new));
        assert!(!is_sound(LAYOUT, 5, true, &new[..new.len() - 1]));
    }

    #[test]
    fn a_count_without_its_elements_is_refused() {
        let claim = [0, 5, 0x7f, 0xff, 0xff, 0xff, 0, 0];
        assert!(!is_sound(LAYOUT, 2, false, &claim));
        let many = [&[0, 5][..], &300_000i32.to_be_bytes(), &[0; 3_000_000]].concat();
        assert!(!is_sound("h *b", 0, false, &many));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_a_panic(bytes: Vec<u8>, version in 0i16..9, flexible: bool) {
            let _any = is_sound(LAYOUT, version, flexible, &bytes);
        }
    }
}
