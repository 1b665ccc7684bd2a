//! Who goes to which partition.

use anabranch_record::header::HeadersRef;
use anabranch_record::{Batch, copy_record};
use md5::{Digest, Md5};
use serde::Deserialize;

use crate::hub::Part;

/// How records find their partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// By the key as Kafka's Java clients do (murmur2); without a key by what the records come from, so that the order
    /// of a file, a connection or a stream is kept.
    #[default]
    #[serde(alias = "murmur2")]
    Default,
    /// By the MD5 of the key; without a key partition 0.
    Md5,
    /// One batch after another, whatever they hold. Batches with a position stay with their stream.
    RoundRobin,
}

/// The partition of one key, for `Default` and `Md5`; `None` when the key does not decide.
#[must_use]
pub fn partition_of(partitioner: Partitioner, key: Option<&[u8]>, partitions: u32) -> Option<i32> {
    let number = match (partitioner, key) {
        (Partitioner::Default, Some(key)) => u128::from(murmur2(key) & 0x7fff_ffff),
        (Partitioner::Md5, Some(key)) => u128::from_be_bytes(Md5::digest(key).into()),
        (Partitioner::Md5, None) => 0,
        (Partitioner::Default, None) | (Partitioner::RoundRobin, _) => return None,
    };
    i32::try_from(number % u128::from(partitions.max(1))).ok()
}

/// Gives each record of a part its partition: one part when they all go the same way.
#[must_use]
pub fn place(
    partitioner: Partitioner,
    part: Part,
    partitions: u32,
    turn: &mut u32,
) -> Vec<(i32, Part)> {
    if partitions <= 1 {
        return vec![(0, part)];
    }
    // What has a position is one append: it stays with its stream whatever its keys say.
    let is_one = part.batch.position().is_some();
    if part.batch.has_keys() && !is_one && partitioner != Partitioner::RoundRobin {
        return scatter(partitioner, part, partitions);
    }
    let by_stream = part.batch.stream() % u64::from(partitions);
    let number = match partitioner {
        Partitioner::Md5 => 0,
        Partitioner::RoundRobin if part.batch.position().is_none() => {
            *turn = turn.wrapping_add(1);
            u64::from(*turn % partitions)
        }
        Partitioner::Default | Partitioner::RoundRobin => by_stream,
    };
    vec![(i32::try_from(number).unwrap_or(0), part)]
}

/// Copies records into one batch for each partition that their keys name.
fn scatter(partitioner: Partitioner, part: Part, partitions: u32) -> Vec<(i32, Part)> {
    let by_stream = i32::try_from(part.batch.stream() % u64::from(partitions)).unwrap_or(0);
    let mut batches: Vec<(i32, Batch)> = Vec::new();
    for record in part.batch.iter() {
        let partition = partition_of(partitioner, record.key, partitions).unwrap_or(by_stream);
        let at = batches.iter().position(|(known, _)| *known == partition);
        let at = at.unwrap_or_else(|| {
            let source = &part.batch;
            let empty = Batch::new(
                Vec::new().into(),
                source.headers().clone(),
                source.timestamp_ms(),
                source.stream(),
            );
            batches.push((partition, empty));
            batches.len() - 1
        });
        if let Some((_, batch)) = batches.get_mut(at) {
            // Common headers are the batch's own.
            let own = HeadersRef { common: &[], own: record.headers.own };
            copy_record(&record, own.iter_all(), batch);
        }
    }
    let (numbers, batches): (Vec<i32>, Vec<Batch>) = batches.into_iter().unzip();
    numbers.into_iter().zip(part.split(batches)).collect()
}

/// Murmur2 as `org.apache.kafka.common.utils.Utils.murmur2` computes it.
#[must_use]
pub fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_that_of_kafkas_java_clients() {
        // The values of Kafka's own UtilsTest.
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
        assert_eq!(murmur2(b"abc").cast_signed(), 479_470_107);
    }

    #[test]
    fn md5_places_as_a_big_number_and_null_keys_in_the_first() {
        // 0x900150983cd24fb0d6963f7d28e17f72, the digest of "abc" in RFC 1321.
        let digest = 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72_u128;
        let expected = i32::try_from(digest % 7).unwrap();
        assert_eq!(partition_of(Partitioner::Md5, Some(b"abc"), 7), Some(expected));
        assert_eq!(partition_of(Partitioner::Md5, None, 7), Some(0));
        assert_eq!(partition_of(Partitioner::Default, None, 7), None);
    }
}
