//! The fault bench in short: a few seconds of each case of the embedded hub; `benches/faults` runs them for hours.

use std::time::Duration;

use anabranch_faults::case;
use anabranch_faults::rig::{Servers, Settings};
use anabranch_faults::run::run;
use rustix::process::geteuid;

use super::support::server;

/// Runs a case for a few seconds; everything that must not be fails the test.
fn survives(name: &str, flush: &str, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let search = server("ANABRANCH_SEARCH");
    let search = search.map(|url| url.trim_start_matches("http://").to_owned());
    let mut servers = Servers { search, ..Servers::default() };
    let settings = Settings {
        program: env!("CARGO_BIN_EXE_anabranch").into(),
        folder: folder.path().to_owned(),
        case: case::named(name).unwrap(),
        flush: flush.to_owned(),
        seed,
        length: Duration::from_secs(5),
        pace: 100,
        keep: false,
    };
    let outcome = run(&settings, &mut servers).unwrap();
    let faults = outcome.faults();
    assert!(faults.is_empty(), "{name}, flush {flush}, seed {seed}: {faults:#?}");
    assert!(outcome.sent.0 > 1000, "only {} lines were sent", outcome.sent.0);
}

/// Whether disks can be mounted here.
fn may_mount() -> bool {
    let may = geteuid().is_root() && std::path::Path::new("/dev/fuse").exists();
    if !may {
        eprintln!("SKIPPED: disks that misbehave need root and /dev/fuse");
    }
    may
}

#[test]
fn kills_stops_pauses_and_reloads_lose_nothing_and_repeat_nothing() {
    survives("process", "50ms", 1);
}

#[test]
fn ways_that_are_cut_slow_or_silent_lose_nothing_and_repeat_nothing() {
    survives("ways", "50ms", 1);
}

#[test]
fn a_disk_that_fails_now_and_then_loses_nothing_and_repeats_nothing() {
    if may_mount() {
        survives("disk", "50ms", 1);
    }
}

#[test]
fn a_disk_that_is_full_now_and_then_loses_nothing_and_repeats_nothing() {
    if may_mount() {
        survives("full", "50ms", 1);
    }
}

#[test]
fn power_cuts_cost_nothing_that_was_flushed() {
    if may_mount() {
        survives("power", "each", 1);
    }
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_repeats_nothing() {
    survives("clock", "50ms", 1);
}
