//! What a target has done and found.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use parking_lot::Mutex;

use crate::{allocator, corpus};

/// Most that one input may allocate at once, bytes: singly, and in all.
const SINGLE_MAX: usize = 128 << 20;
const ALL_MAX: usize = 256 << 20;

/// What panicked since the last look, on any thread.
pub(crate) static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) struct Target {
    name: &'static str,
    begun: Instant,
    count: u64,
    ended: BTreeMap<&'static str, u64>,
    largest: (usize, usize),
    slowest_ms: u128,
    one: Instant,
    last: PathBuf,
    findings: BTreeMap<String, usize>,
}

impl Target {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            begun: Instant::now(),
            count: 0,
            ended: BTreeMap::new(),
            largest: (0, 0),
            slowest_ms: 0,
            one: Instant::now(),
            last: std::env::temp_dir()
                .join(format!("anabranch-fuzz-{}-{name}", std::process::id())),
            findings: BTreeMap::new(),
        }
    }

    /// Notes the input, for the case that the process ends with it.
    pub(crate) fn begin(&mut self, input: &[u8]) {
        std::fs::write(&self.last, input).unwrap();
        self.one = Instant::now();
        allocator::reset();
    }

    pub(crate) fn end(&mut self, input: &[u8], outcome: Result<&'static str, String>) {
        let (single, all) = allocator::measured();
        self.end_unmeasured(input, outcome);
        self.largest = (self.largest.0.max(single), self.largest.1.max(all));
        if single > SINGLE_MAX {
            self.found(&format!("more than {SINGLE_MAX} bytes at once"), input);
        }
        if all > ALL_MAX {
            self.found(&format!("more than {ALL_MAX} bytes in all"), input);
        }
    }

    /// For an input that may allocate more.
    pub(crate) fn end_unmeasured(&mut self, input: &[u8], outcome: Result<&'static str, String>) {
        self.slowest_ms = self.slowest_ms.max(self.one.elapsed().as_millis());
        self.count += 1;
        match outcome {
            Ok(ended) => *self.ended.entry(ended).or_default() += 1,
            Err(problem) => self.found(&problem, input),
        }
        for panic in std::mem::take(&mut *PANICS.lock()) {
            self.found(&panic, input);
        }
    }

    fn found(&mut self, problem: &str, input: &[u8]) {
        // The same with other numbers is the same.
        let kind = problem.replace(|letter: char| letter.is_ascii_digit(), "");
        let number = self.findings.len();
        let times = self.findings.entry(kind).or_default();
        *times += 1;
        if *times == 1 {
            let (single, all) = allocator::measured();
            let path = self.last.with_extension(format!("{number}.txt"));
            std::fs::write(&path, corpus::hex(input)).unwrap();
            println!(
                "FOUND in {}: {problem} (largest allocation {single}, in all {all})",
                self.name
            );
            println!("  its input in hexadecimal: {}", path.display());
        }
    }

    /// Says what was done; whether nothing was found.
    pub(crate) fn finish(self) -> bool {
        std::fs::remove_file(&self.last).ok();
        println!(
            "{}: {} inputs in {} s, {:?}; largest allocation {} KiB, {} KiB at once; slowest {} ms; {} findings",
            self.name,
            self.count,
            self.begun.elapsed().as_secs(),
            self.ended,
            self.largest.0 >> 10,
            self.largest.1 >> 10,
            self.slowest_ms,
            self.findings.len(),
        );
        for (problem, times) in &self.findings {
            println!("  {times} x {problem}");
        }
        self.findings.is_empty()
    }
}
