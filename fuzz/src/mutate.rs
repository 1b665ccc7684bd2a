//! Damage: what a broken client, a broken disk and somebody with intent make of good bytes.

use crate::random::Random;

/// The key, the version and the correlation id of a request.
pub(crate) const HEAD: usize = 8;

/// Damages `bytes` in one to four places; `other` gives the bytes for splices.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        // What is not served at all is quickly refused, so the head is left mostly.
        let from = if random.one_in(12) { 0 } else { HEAD };
        if bytes.len() <= from {
            bytes.extend(random.bytes());
            continue;
        }
        let at = from + random.below(bytes.len() - from);
        damage(bytes, at, other, random);
    }
}

fn damage(bytes: &mut Vec<u8>, at: usize, other: &[u8], random: &mut Random) {
    match random.below(13) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]),
        2 => bytes[at] = random.next() as u8,
        3 => put(bytes, at, &random.short().to_be_bytes()),
        4 | 5 => {
            let count =
                random.pick(&[-1, 0, 1, 2, 63, 1000, 65_536, 200_001, 1 << 24, i32::MAX, i32::MIN]);
            put(bytes, at, &count.to_be_bytes());
        }
        6 => put(bytes, at, &random.long().to_be_bytes()),
        // Numbers of variable length: the largest, one that never ends, and one of more than 32 bits.
        7 => put(
            bytes,
            at,
            random.pick(&[
                &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
                &[0xff; 11],
                &[0x80, 0x80, 0x80, 0x80, 0x7f],
            ]),
        ),
        8 => bytes.truncate(at),
        9 => {
            let inserted = if random.one_in(30) {
                vec![random.pick(&[0, 1, 2, 0xff]); random.pick(&[1000, 70_000, 900_000])]
            } else {
                random.bytes()
            };
            bytes.splice(at..at, inserted);
        }
        10 => {
            let end = bytes.len().min(at + 1 + random.below(9));
            bytes.drain(at..end);
        }
        11 => {
            let end = bytes.len().min(at + 1 + random.below(40));
            let again = bytes[at..end].repeat(random.pick(&[1, 2, 100]));
            bytes.splice(at..at, again);
        }
        _ => {
            bytes.truncate(at);
            bytes.extend(other.get(at.min(other.len())..).unwrap_or_default());
        }
    }
    bytes.truncate(1 << 20);
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (place, byte) in bytes[at..].iter_mut().zip(value) {
        *place = *byte;
    }
}
