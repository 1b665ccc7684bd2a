//! A source that looks when it is told to; its time stands still meanwhile.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::Bench;
use crate::contract::emitter::Emission;
use crate::sources::file::follower::Follower;
use crate::sources::file::identity;
use crate::sources::file::watch::Hints;

/// Longer than a batch that was not stored waits, and than files of a [`Bench`] are kept open.
pub(super) const LONG: Duration = Duration::from_secs(3);

/// A source that is moved by hand.
pub(super) struct Hand {
    pub(super) bench: Bench,
    pub(super) runtime: Runtime,
    pub(super) follower: Follower,
    pub(super) inlet: mpsc::Receiver<Emission>,
}

impl Hand {
    /// A source that has read `text` in `app.log`; globs match `include`.
    pub(super) fn with(include: &str, text: &str) -> Self {
        let bench = Bench::new(include).with("watch", "poll");
        bench.append("app.log", text);
        let mut hand = Self::on(bench);
        hand.settle();
        hand
    }

    pub(super) fn on(bench: Bench) -> Self {
        let runtime =
            Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let inside = runtime.enter();
        let (emitter, inlet) = bench.emitter();
        let mut follower =
            Follower::new(bench.source().settings, emitter, CancellationToken::new());
        follower.start().unwrap();
        drop(inside);
        Self { bench, runtime, follower, inlet }
    }

    /// As after a kill: what the hub has not taken is lost.
    pub(super) fn restart(self) -> Self {
        Self::on(self.bench)
    }

    /// Has the source look at everything and read what it may.
    pub(super) fn look(&mut self) {
        let _inside = self.runtime.enter();
        for _ in 0..4 {
            self.follower.reconcile_at = Instant::now();
            self.follower.look_once().unwrap();
        }
    }

    /// Lets time go by, in which the source looks again and again.
    pub(super) fn wait(&mut self, time: Duration) {
        for _ in 0..10 {
            self.runtime.block_on(tokio::time::advance(time / 10));
            self.look();
        }
    }

    /// Has the source hear of what has happened, and look.
    pub(super) fn follow(&mut self, hints: Hints) {
        let _inside = self.runtime.enter();
        self.follower.follow_hints(hints);
        self.follower.look_once().unwrap();
    }

    /// Gives a file its turn.
    pub(super) fn turn(&mut self, name: &str) {
        let identity = identity::stat(&self.bench.path(name)).unwrap().identity;
        let _inside = self.runtime.enter();
        self.follower.turn(identity, false).unwrap();
    }

    pub(super) fn next(&mut self) -> Emission {
        self.look();
        self.inlet.try_recv().unwrap()
    }

    /// Has everything read and stored.
    pub(super) fn settle(&mut self) {
        self.look();
        while let Ok(emission) = self.inlet.try_recv() {
            self.bench.take(emission);
            self.look();
        }
    }

    /// In the end, these are the lines.
    pub(super) fn expect(mut self, wanted: &[&str]) {
        self.settle();
        for _ in 0..2 {
            self.wait(LONG);
            self.settle();
        }
        assert_eq!(self.bench.lines, wanted);
    }
}
