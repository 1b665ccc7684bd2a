//! Record batches: good ones of every codec, and ones whose head lies under a right sum.

use std::sync::OnceLock;

use anabranch::wire::{BatchHeader, Builder, Codec, HEADER_BYTES, Stamp};
use anabranch_record::Record;
use anabranch_record::stored::push_record;

use crate::random::Random;

pub(crate) const CODECS: [Codec; 5] =
    [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// A batch of a few records.
pub(crate) fn good(random: &mut Random) -> Vec<u8> {
    let producer = if random.one_in(3) {
        (random.pick(&[0, 1, 2, 1 << 40, i64::MAX, -5]), random.short(), random.int())
    } else {
        (-1, -1, -1)
    };
    let codec = random.pick(&CODECS);
    let mut builder = Builder::new(codec, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    let count = random.pick(&[1, 1, 2, 5, 300]);
    for number in 0..count {
        let (key, value) = (random.maybe(Random::bytes), random.maybe(Random::bytes));
        let record = Record { key: key.as_deref(), value: value.as_deref(), ..Record::default() };
        push_record(&record, (number, number), &[], builder.records());
        builder.pack(&mut batch).unwrap();
    }
    let base_timestamp_ms = random.pick(&[0, 1_700_000_000_000, -1, i64::MAX, i64::MIN]);
    let count = i32::try_from(count).unwrap();
    let stamp = Stamp { base_timestamp_ms, max_timestamp_ms: base_timestamp_ms, count, producer };
    builder.finish(stamp, &mut batch).unwrap();
    batch
}

/// What a client may send as the records of a partition.
pub(crate) fn records(random: &mut Random) -> Vec<u8> {
    let mut batch = good(random);
    if random.one_in(3) {
        lie(&mut batch, random);
    }
    match random.below(60) {
        0 => batch.extend(good(random)),
        1 => batch.truncate(random.below(batch.len() + 1)),
        2 => batch[16] = random.pick(&[0, 1, 3, 255]),
        3 => batch[20] ^= 1,
        4 if random.one_in(10) => batch.clone_from(&bombs()[random.below(bombs().len())]),
        _ => {}
    }
    batch
}

/// Changes the head and the records, and makes the sum right again.
pub(crate) fn lie(batch: &mut [u8], random: &mut Random) {
    for _ in 0..=random.below(3) {
        let fields = [(21, 2), (23, 4), (27, 8), (35, 8), (43, 8), (51, 2), (53, 4), (57, 4)];
        let (at, size) = random.pick(&fields);
        let value = if random.one_in(2) {
            random.long().to_be_bytes()
        } else {
            random.next().to_be_bytes()
        };
        let small = random.pick(&[0u8, 1, 2, 3, 4, 5, 7, 8, 16, 32, 48]);
        batch[at..at + size].copy_from_slice(&value[8 - size..]);
        if at == 21 {
            batch[21] = 0;
            batch[22] = small;
        }
    }
    if batch.len() > HEADER_BYTES && random.flag() {
        for _ in 0..=random.below(4) {
            let at = HEADER_BYTES + random.below(batch.len() - HEADER_BYTES);
            batch[at] = if random.flag() {
                batch[at] ^ (1 << random.below(8))
            } else {
                random.next() as u8
            };
        }
    }
    reseal(batch);
}

/// Makes the sum right, whatever the head says.
pub(crate) fn reseal(batch: &mut [u8]) {
    if let Ok(header) = BatchHeader::parse(batch) {
        // Only where it says its own length: sealing writes the length.
        if header.size_bytes == batch.len() {
            header.seal(batch);
        }
    }
}

/// Batches of less than a mebibyte whose records are hundreds of them.
pub(crate) fn bombs() -> &'static [Vec<u8>] {
    static BOMBS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    BOMBS.get_or_init(|| {
        let plain = vec![0u8; 900 << 20];
        let bomb = |codec: Codec, size: usize| {
            let mut batch = vec![0; HEADER_BYTES];
            codec.compress(&plain[..size], Some(1), &mut batch).unwrap();
            assert!(batch.len() <= 1 << 20, "{codec:?}: {} bytes", batch.len());
            let header = BatchHeader {
                base_offset: 0,
                size_bytes: batch.len(),
                epoch: 0,
                crc: 0,
                attributes: codec.attributes(),
                last_offset_delta: 0,
                base_timestamp_ms: 0,
                max_timestamp_ms: 0,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                count: 1,
            };
            header.seal(&mut batch);
            batch
        };
        vec![
            bomb(Codec::Zstd, 900 << 20),
            bomb(Codec::Zstd, 300 << 20),
            bomb(Codec::Gzip, 90 << 20),
            bomb(Codec::Lz4, 200 << 20),
            bomb(Codec::Snappy, 18 << 20),
        ]
    })
}
