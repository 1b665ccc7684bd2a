//! Random lives of files, sources and hubs: every line is stored exactly once, and those of one file in order.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::hub::{Bench, append};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many lines are written to a file.
    Write { file: usize, lines: usize },
    /// The beginning of a line, whose end comes with the next write.
    Begin { file: usize },
    /// The file gets a hole at its end: it is made longer under its writer.
    Hole { file: usize, bytes: u64 },
    /// The file is renamed, and those before it.
    Rename { file: usize },
    /// The file is copied and truncated.
    Copy { file: usize },
    /// The hub takes what comes within a moment.
    Take,
    /// A batch is not stored.
    Refuse,
    /// All is read, then the file is deleted.
    Delete { file: usize },
    /// The source is stopped or started; what was on its way is lost.
    Toggle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let file = 0usize..2;
    let step = prop_oneof![
        6 => (file.clone(), 1usize..200).prop_map(|(file, lines)| Step::Write { file, lines }),
        1 => file.clone().prop_map(|file| Step::Begin { file }),
        1 => (file.clone(), 1u64..3 << 20).prop_map(|(file, bytes)| Step::Hole { file, bytes }),
        2 => file.clone().prop_map(|file| Step::Rename { file }),
        2 => file.clone().prop_map(|file| Step::Copy { file }),
        3 => Just(Step::Take),
        1 => Just(Step::Refuse),
        1 => file.prop_map(|file| Step::Delete { file }),
        3 => Just(Step::Toggle),
    ];
    prop::collection::vec(step, 1..40)
}

struct Life {
    bench: Bench,
    running: bool,
    written: [usize; 2],
    open: [bool; 2],
    /// Whether the hub has a position of the file; else nobody can know what becomes of it outside the globs.
    known: [bool; 2],
    /// Whether a whole line was written to the file that has the path.
    whole: [bool; 2],
    /// Where rotated files are, seen from the globs.
    rotated: Rotated,
}

/// Where rotated files are, seen from the globs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotated {
    /// Outside: `a.log.1`.
    Outside,
    /// Inside: `a.log.1`.
    Inside,
    /// Inside, and in the order of names before what they were: `a-1.log`.
    Before,
    /// Outside, and so is the file: a link leads to it.
    Linked,
}

impl Rotated {
    fn globs(self) -> &'static str {
        match self {
            Self::Outside | Self::Before => "*.log",
            Self::Linked => "links/*.log",
            Self::Inside => "*.log*",
        }
    }

    fn name(self, name: &str, number: usize) -> String {
        match self {
            Self::Outside | Self::Inside | Self::Linked => format!("{name}.{number}"),
            Self::Before => name.replace(".log", &format!("-{number}.log")),
        }
    }
}

const NAMES: [&str; 2] = ["a.log", "b.log"];

impl Life {
    fn line(&mut self, file: usize) -> String {
        self.written[file] += 1;
        format!("{}:{}", NAMES[file], self.written[file])
    }

    fn write(&mut self, file: usize, lines: usize) {
        let mut text = String::new();
        for _ in 0..lines {
            if !std::mem::take(&mut self.open[file]) {
                let line = self.line(file);
                text.push_str(&line);
            }
            text.push('\n');
        }
        append(&self.path(file), &text);
        self.whole[file] = true;
    }

    /// What a file is called in the folder of the bench.
    fn name(&self, file: usize) -> String {
        let folder = if self.rotated == Rotated::Linked { "data/" } else { "" };
        format!("{folder}{}", NAMES[file])
    }

    fn path(&self, file: usize) -> PathBuf {
        self.bench.path(&self.name(file))
    }

    fn make_room(&self, name: &str) {
        self.bench.shift(|number| self.rotated.name(name, number));
    }

    async fn settle(&mut self) {
        let total: usize = self.written.iter().sum();
        let open = self.open.iter().filter(|open| **open).count();
        self.bench.until(total - open).await;
        self.known = self.whole;
    }

    /// Gives the source the time to see what has been done.
    async fn look(&mut self) {
        if self.running {
            while let Some(emission) = self.bench.next(Duration::from_millis(40)).await {
                self.bench.take(emission);
            }
        }
    }

    async fn may_rotate(&mut self, file: usize) -> bool {
        if self.running && !self.known[file] && !self.inside() {
            self.settle().await;
        }
        self.exists(file) && (self.known[file] || self.inside())
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Write { file, lines } => self.write(file, lines),
            Step::Begin { file } if !self.open[file] => {
                let line = self.line(file);
                append(&self.path(file), &line);
                self.open[file] = true;
            }
            Step::Hole { file, bytes } if self.exists(file) => {
                // Elsewhere than at a line's start it is a part of the line.
                self.end_line(file);
                let file = File::options().append(true).open(self.path(file)).unwrap();
                file.set_len(file.metadata().unwrap().len() + bytes).unwrap();
            }
            Step::Rename { file } => {
                if !self.may_rotate(file).await {
                    return;
                }
                self.end_line(file);
                let name = self.name(file);
                self.make_room(&name);
                self.bench.rename(&name, &self.rotated.name(&name, 1));
                self.whole[file] = false;
            }
            Step::Copy { file } => {
                if !self.may_rotate(file).await {
                    return;
                }
                self.end_line(file);
                let name = self.name(file);
                self.make_room(&name);
                self.bench.copy_and_truncate(&name, &self.rotated.name(&name, 1));
                self.look().await;
            }
            Step::Take if self.running => {
                if let Some(emission) = self.bench.next(Duration::from_millis(20)).await {
                    self.bench.take(emission);
                }
            }
            Step::Refuse if self.running => {
                if let Some(emission) = self.bench.next(Duration::from_millis(5)).await {
                    Bench::refuse(emission);
                }
            }
            Step::Delete { file } if self.running && self.exists(file) => {
                self.end_line(file);
                self.settle().await;
                self.bench.remove(&self.name(file));
                (self.known[file], self.whole[file]) = (false, false);
            }
            Step::Toggle => {
                self.toggle().await;
            }
            Step::Begin { .. }
            | Step::Hole { .. }
            | Step::Take
            | Step::Refuse
            | Step::Delete { .. } => {}
        }
    }

    async fn toggle(&mut self) {
        if self.running {
            if !self.inside() {
                self.settle().await;
            }
            for file in (0..2).filter(|file| self.exists(*file)).collect::<Vec<_>>() {
                self.write(file, 3);
            }
            self.bench.stop().await;
        } else {
            self.bench.start();
        }
        self.running = !self.running;
    }

    fn inside(&self) -> bool {
        matches!(self.rotated, Rotated::Inside | Rotated::Before)
    }

    fn exists(&self, file: usize) -> bool {
        Path::exists(&self.path(file))
    }

    fn end_line(&mut self, file: usize) {
        if self.open[file] {
            self.write(file, 1);
        }
    }
}

async fn live(rotated: Rotated, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let bench = Bench::new(rotated.globs());
    if rotated == Rotated::Linked {
        for folder in ["links", "data"] {
            fs::create_dir(bench.path(folder)).unwrap();
        }
        for name in NAMES {
            symlink(format!("../data/{name}"), bench.path("links").join(name)).unwrap();
        }
    }
    let (written, open, known, whole) = Default::default();
    let mut life = Life { bench, running: true, written, open, known, whole, rotated };
    life.bench.start();
    // Files first seen after their rotation have no order; nor has what is sent again to what was sent meanwhile.
    let ordered = matches!(rotated, Rotated::Outside | Rotated::Linked)
        && !steps.iter().any(|step| matches!(step, Step::Refuse));
    for step in steps {
        life.step(step).await;
    }
    (0..2).for_each(|file| life.end_line(file));
    if !life.running {
        life.bench.start();
    }
    life.settle().await;
    while let Some(emission) = life.bench.next(Duration::from_millis(60)).await {
        life.bench.take(emission);
    }
    life.bench.stop().await;
    for (file, name) in NAMES.iter().enumerate() {
        let lines = life.bench.lines.iter().filter(|line| line.starts_with(name)).cloned();
        let wanted: Vec<String> =
            (1..=life.written[file]).map(|number| format!("{name}:{number}")).collect();
        let mut lines: Vec<String> = lines.collect();
        if !ordered {
            lines.sort_by_key(|line| line.rsplit(':').next().unwrap().parse::<usize>().unwrap());
        }
        let differ = lines.iter().zip(&wanted).position(|(line, wanted)| line != wanted);
        let at = differ.unwrap_or(lines.len().min(wanted.len()));
        let near = lines.iter().skip(at.saturating_sub(1)).take(3).collect::<Vec<_>>();
        let counts = (lines.len(), wanted.len());
        prop_assert!(lines == wanted, "{name}: {counts:?} lines, wrong at {at}: {near:?}");
    }
    Ok(())
}

/// The same lives in every run, or as `PROPTEST_CASES` and `PROPTEST_RNG_SEED` say where they are set. A failure is lived again
/// with the seed that is printed.
fn config() -> ProptestConfig {
    let common = ProptestConfig {
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { common.cases } else { 8 };
    let seed = match common.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => super::racing::seed(),
    };
    println!("PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), ..common }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_line_is_stored_once_and_in_order(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(live(Rotated::Outside, steps))?;
    }

    #[test]
    fn every_line_is_stored_once_and_in_order_when_a_link_leads_to_the_file(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(live(Rotated::Linked, steps))?;
    }

    #[test]
    fn every_line_is_stored_once_when_rotated_files_are_read_too(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(live(Rotated::Inside, steps))?;
    }

    #[test]
    fn every_line_is_stored_once_when_rotated_files_come_first_by_their_names(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(live(Rotated::Before, steps))?;
    }
}
