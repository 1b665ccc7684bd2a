//! Numbers that look random and are the same for the same seed, and values that have broken programs before.

use kafka_protocol::messages::{GroupId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::broker::topic_id;

/// `SplitMix64`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) const fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) const fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn short(&mut self) -> i16 {
        self.pick(&[0, 0, 1, 2, -1, -2, i16::MIN, i16::MAX])
    }

    pub(crate) fn int(&mut self) -> i32 {
        self.pick(&[0, 0, 1, 2, 7, -1, -2, 1000, 60_000, i32::MIN, i32::MAX])
    }

    pub(crate) fn long(&mut self) -> i64 {
        self.pick(&[
            0,
            0,
            1,
            2,
            7,
            -1,
            -2,
            -3,
            -4,
            -5,
            1 << 40,
            1_700_000_000_000,
            i64::MIN,
            i64::MAX,
        ])
    }

    pub(crate) fn partition(&mut self) -> i32 {
        self.pick(&[0, 0, 0, 1, 2, -1, 99, i32::MIN, i32::MAX])
    }

    /// Milliseconds that somebody waits for; few, because the fuzzer waits too.
    pub(crate) fn wait(&mut self) -> i32 {
        self.pick(&[0, 1, 5, -1, i32::MIN])
    }

    pub(crate) fn text(&mut self) -> StrBytes {
        const TEXTS: [&str; 12] = [
            "",
            "a",
            "range",
            "consumer",
            "member-1",
            "not valid!",
            "retention.ms",
            "cleanup.policy",
            "compact",
            "1000",
            "1",
            "ä\u{1f980}\0",
        ];
        if self.one_in(40) {
            return StrBytes::from_string("x".repeat(self.pick(&[249, 250, 300, 32_000])));
        }
        StrBytes::from_static_str(self.pick(&TEXTS))
    }

    pub(crate) fn topic(&mut self) -> TopicName {
        const TOPICS: [&str; 11] = [
            "plain",
            "plain",
            "plain",
            "packed",
            "compacted",
            "stamped",
            "absent",
            "..",
            "",
            "__consumer_offsets",
            "not valid!",
        ];
        if self.one_in(40) {
            return TopicName(self.text());
        }
        TopicName(StrBytes::from_static_str(self.pick(&TOPICS)))
    }

    /// The id of a topic, or one that nobody has.
    pub(crate) fn topic_id(&mut self) -> Uuid {
        const TOPICS: [&str; 6] = ["plain", "plain", "packed", "compacted", "stamped", "absent"];
        if self.one_in(10) {
            return Uuid::from_u128(self.pick(&[0, 1, u128::MAX]));
        }
        topic_id(self.pick(&TOPICS))
    }

    pub(crate) fn group(&mut self) -> GroupId {
        if self.one_in(20) {
            return GroupId(self.text());
        }
        GroupId(StrBytes::from_static_str(self.pick(&["group", "group", "other", ""])))
    }

    pub(crate) fn transaction(&mut self) -> TransactionalId {
        TransactionalId(StrBytes::from_static_str(self.pick(&[
            "transaction",
            "transaction",
            "other",
            "",
        ])))
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let length = self.pick(&[0, 1, 3, 8, 40]);
        (0..length).map(|_| self.next() as u8).collect()
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.one_in(2)
    }

    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.one_in(4) { None } else { Some(make(self)) }
    }

    /// One, mostly; sometimes none, two or many.
    pub(crate) fn many<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.pick(&[1, 1, 1, 1, 2, 2, 0]);
        let count = if self.one_in(60) { 50 } else { count };
        (0..count).map(|_| make(self)).collect()
    }
}
