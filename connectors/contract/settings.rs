//! What the program asks of a connector's block before anything runs: all that it knows of one beside its traits.
//!
//! Each configuration implements one of the two traits beside its fields, and says in a [`Card`] what is so of all blocks
//! of its kind. Nothing outside of a connector's folder compares its name.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::build::{BuildError, Surroundings};
use super::sink::Sink;
use super::source::Source;

/// What is so of every block of a connector.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// What other programs call it.
    pub also: &'static [&'static str],
    /// Settings, its own and those of other programs, that are sometimes written beside its block instead of in it.
    pub settings: &'static [&'static str],
    /// What becomes of a record when the process is killed at any moment, as README says it.
    pub guarantee: &'static str,
}

/// Gives the card of a kind of block.
pub trait Described {
    /// What is so of all of them.
    const CARD: Card;
}

/// A setting that can work and is probably not what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The setting, as it stands inside the connector's block.
    pub setting: &'static str,
    /// What is doubtful about it.
    pub problem: String,
    /// What to write.
    pub hint: String,
}

impl From<BuildError> for Doubt {
    fn from(BuildError { setting, problem, hint }: BuildError) -> Self {
        Self { setting, problem, hint: hint.to_owned() }
    }
}

/// The files that a source reads.
pub trait FileSet: fmt::Debug {
    /// Whether `path`, absolute and without `.` and `..`, would be read.
    fn contains(&self, path: &Path) -> bool;

    /// What the paths that it reads begin with, one of these at least.
    fn beginnings(&self) -> Vec<&[u8]>;
}

/// The block of a source.
pub trait SourceSettings: fmt::Debug + Send + Sync {
    /// Builds the source that the block describes. Opens nothing.
    ///
    /// # Errors
    /// [`BuildError`] when a setting is well-formed but cannot work.
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Source>, BuildError>;

    /// What is probably not meant as it is written.
    fn doubts(&self) -> Vec<Doubt> {
        Vec::new()
    }

    /// What is wrong with the files that it names beside those that it brings in; they are read.
    fn faults(&self) -> Vec<BuildError> {
        Vec::new()
    }

    /// What it cannot find as things are on this machine; it may come.
    fn misses(&self) -> Vec<Doubt> {
        Vec::new()
    }

    /// Addresses that it listens on, as `tcp://host:port`, `udp://host:port` or `unix:PATH`.
    fn listens(&self) -> Vec<String> {
        Vec::new()
    }

    /// Which files it reads. Patterns are compiled here, so it is asked for once.
    fn reads(&self) -> Option<Box<dyn FileSet>> {
        None
    }

    /// What it reads or where it listens, in a few words.
    fn place(&self) -> String {
        self.listens().join(" ")
    }

    /// A command for a terminal that sends it one record.
    fn try_it(&self) -> Option<String> {
        None
    }
}

/// The block of a sink.
#[async_trait]
pub trait SinkSettings: fmt::Debug + Send + Sync {
    /// Builds the sink that the block describes. Opens nothing.
    ///
    /// # Errors
    /// [`BuildError`] when a setting is well-formed but cannot work.
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Sink>, BuildError>;

    /// Tries the far end once, for `check --connect`: what was found, or why not, for a person.
    async fn probe(&self) -> Result<String, String>;

    /// What is probably not meant as it is written.
    fn doubts(&self) -> Vec<Doubt> {
        Vec::new()
    }

    /// Which file it writes for `topic`.
    fn writes(&self, topic: &str) -> Option<WrittenFile> {
        let _unused = topic;
        None
    }

    /// Hosts and ports that it connects to.
    fn reaches(&self) -> Vec<Reached> {
        Vec::new()
    }

    /// Whether several deliveries of one group may write side by side, and why not; `topics` says whether they read
    /// several.
    ///
    /// # Errors
    /// Why one delivery only.
    fn side_by_side(&self, topics: Topics) -> Result<(), Alone>;
}

/// How many topics the deliveries of a group read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topics {
    /// The same one.
    One,
    /// Several, or any that a pattern means.
    Several,
}

/// Why a sink takes one delivery only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alone {
    /// What would happen.
    pub problem: &'static str,
    /// What to write.
    pub hint: &'static str,
}

/// A file that a sink writes. Two sinks must not share a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// The setting that names it.
    pub setting: &'static str,
    /// One that it may write.
    pub example: PathBuf,
    /// The template of all that it writes.
    pub template: String,
}

/// What a sink connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The setting that names it.
    pub setting: &'static str,
    /// The host, as it is written.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Reached {
    /// Those of addresses with a scheme; what is none is left out, since building says so.
    pub fn of(setting: &'static str, urls: &[String]) -> Vec<Self> {
        let urls = urls.iter().filter_map(|url| reqwest::Url::parse(url).ok());
        let reached = |url: reqwest::Url| {
            let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
            Some(Self { setting, host, port })
        };
        urls.filter_map(reached).collect()
    }
}
