//! What the program asks of a `file` source before it runs.

use super::config::SourceConfig;
use super::patterns::{doubts, misses};
use super::reads::Reads;
use super::source::FileSource;
use crate::Source;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Card, Described, Doubt, FileSet, SourceSettings};

impl Described for SourceConfig {
    const CARD: Card = Card {
        also: &["files", "tail", "log", "logs", "filestream", "filelog", "logfile"],
        settings: &["include", "exclude", "read_from", "path", "paths", "files"],
        guarantee: "each line exactly once",
    };
}

impl SourceSettings for SourceConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(FileSource::new(self.clone(), around)?))
    }

    fn reads(&self) -> Option<Box<dyn FileSet>> {
        Some(Box::new(Reads::new(self)?))
    }

    fn place(&self) -> String {
        self.include.join(" ")
    }

    fn doubts(&self) -> Vec<Doubt> {
        let include = self.include.iter().filter_map(|glob| doubts("include", glob));
        include.chain(self.exclude.iter().filter_map(|glob| doubts("exclude", glob))).collect()
    }

    fn misses(&self) -> Vec<Doubt> {
        let Ok((globs, base)) = self.check() else { return Vec::new() };
        let mut misses: Vec<Doubt> =
            self.include.iter().flat_map(|glob| misses(&base, glob)).collect();
        let excluded = |glob: &&String| !glob.contains(['*', '?', '[', '{']);
        let include = self.include.iter().filter(excluded);
        misses.extend(include.filter(|glob| globs.excludes(&base.join(glob))).map(|glob| {
            let problem = format!("has \"{glob}\", which `exclude` leaves out");
            let hint = "write `exclude: []`, or what is to be left out".to_owned();
            Doubt { setting: "include", problem, hint }
        }));
        misses
    }
}
