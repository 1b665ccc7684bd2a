//! Random histories of a hub on a disk that forgets and refuses: whatever happens, nothing is lost that is promised,
//! nothing is there twice, nothing is invented, and no offset hides what was not read.
//!
//! `HISTORIES=100000 cargo test --release --lib histories` does more of them, `HISTORY=SEED` one. A seed does the same
//! each time.

mod deeds;
mod model;
mod rig;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use rig::Rig;

/// One history; the error says what is wrong.
fn history(seed: u64, says: bool, doomed: Option<u64>) -> Result<u64, String> {
    let mut rig = Rig::new(seed);
    if let Some(step) = doomed {
        rig.disk().doom(step);
    }
    rig.says = says;
    rig.open(false)?;
    let steps = 10 + rig.random.below(60);
    for step in 0..steps {
        let what = rig.random.below(24);
        rig.say(&format!("{step}: {what}"));
        match what {
            0..8 => rig.append()?,
            8..12 => rig.read()?,
            12 => rig.position()?,
            13 | 14 => rig.snapshot()?,
            15 => rig.roll()?,
            16 => rig.flush(),
            17 => rig.checkpoint(),
            18 => rig.retain()?,
            19 => rig.compact()?,
            20 if doomed.is_none() => rig.refuse(),
            21 => drop(rig.look()?),
            _ => rig.end()?,
        }
    }
    rig.end()?;
    let steps = rig.disk().steps();
    if doomed.is_none() {
        rig.damage()?;
    }
    Ok(steps)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn each_of(seeds: std::ops::Range<u64>, what: impl Fn(u64) -> Result<u64, String> + Sync) {
    let next = AtomicU64::new(seeds.start);
    let failures = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failures.lock().len() > 4 {
                        return;
                    }
                    let done = std::panic::catch_unwind(AssertUnwindSafe(|| what(seed)));
                    let wrong = match done {
                        Ok(Ok(_)) => continue,
                        Ok(Err(wrong)) => wrong,
                        Err(panic) => panic
                            .downcast_ref::<String>()
                            .cloned()
                            .unwrap_or_else(|| "a panic".to_owned()),
                    };
                    failures.lock().push(format!("HISTORY={seed}: {wrong}"));
                }
            });
        }
    });
    let failures = failures.into_inner();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn whatever_a_disk_forgets_and_refuses_nothing_is_lost_twice_invented_or_hidden() {
    if let Some(seed) = number("HISTORY") {
        history(seed, true, number("STEP")).unwrap();
        return;
    }
    each_of(0..number("HISTORIES").unwrap_or(300), |seed| history(seed, false, None));
}

#[test]
fn each_single_step_of_a_history_may_be_refused() {
    for seed in 0..number("HISTORIES").map_or(2, |most| most / 1000) {
        let steps = history(seed, false, Some(u64::MAX)).unwrap();
        each_of(0..steps, |step| {
            history(seed, false, Some(step))
                .map_err(|wrong| format!("STEP={step} of {seed}: {wrong}"))
        });
    }
}
