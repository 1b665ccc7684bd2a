//! Record batches as a client or a disk may give them: refused, or walked to the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anabranch::hub::embedded::decode;
use anabranch::wire::{BatchHeader, is_commit};
use anabranch_record::{Pool, Topic};

use crate::random::Random;
use crate::report::Target;
use crate::{batches, mutate};

/// Feeds the decoder for that long.
pub(crate) fn run(target: &mut Target, seconds: u64, seed: u64) {
    let mut random = Random::new(seed);
    let topic = Arc::new(Topic { name: "plain".into(), id: "id".into() });
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut bombs: Vec<_> = batches::bombs().to_vec();
    while Instant::now() < until || !bombs.is_empty() {
        let is_bomb = !bombs.is_empty();
        let batch = bombs.pop().unwrap_or_else(|| next(&mut random));
        target.begin(&batch);
        let outcome = catch_unwind(AssertUnwindSafe(|| walk(&batch, &topic)));
        let outcome = outcome.map_err(|_panic| "a panic".to_owned());
        // A large batch may fill what is allowed to one, and that is more than the reporter allows.
        if is_bomb || batch.len() > 64 << 10 {
            target.end_unmeasured(&batch, outcome);
        } else {
            target.end(&batch, outcome);
        }
    }
}

fn next(random: &mut Random) -> Vec<u8> {
    let mut batch = batches::good(random);
    match random.below(4) {
        0 => {}
        1 => batches::lie(&mut batch, random),
        2 => {
            let other = batches::good(random);
            mutate::mutate(&mut batch, &other, random);
        }
        _ => {
            // Damage behind the head, under a right sum and a right length.
            let mut records = batch.split_off(anabranch::wire::HEADER_BYTES);
            let other = batches::good(random);
            mutate::mutate(&mut records, &other, random);
            batch.extend(records);
            let length = i32::try_from(batch.len() - 12).unwrap();
            batch[8..12].copy_from_slice(&length.to_be_bytes());
            batches::reseal(&mut batch);
        }
    }
    batch
}

fn walk(bytes: &[u8], topic: &Arc<Topic>) -> &'static str {
    let _kind = is_commit(bytes);
    let Ok(header) = BatchHeader::verify(bytes) else { return "refused" };
    let pool = Pool::new(1, 1 << 20);
    let whole = &bytes[..header.size_bytes];
    let Ok(batch) = decode(&header, whole, (topic, 0), &pool) else { return "not decoded" };
    let mut seen = 0usize;
    for stored in batch.iter() {
        seen +=
            stored.record.key.map_or(0, <[u8]>::len) + stored.record.value.map_or(0, <[u8]>::len);
        seen += stored.record.headers.iter().count();
        assert!(seen <= batch.data.len(), "records are longer than their batch");
    }
    "decoded"
}
