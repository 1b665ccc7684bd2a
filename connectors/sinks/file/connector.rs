//! What the program asks of a `file` sink before it runs.

use async_trait::async_trait;

use super::config::SinkConfig;
use super::member::Compression;
use super::probe::probe;
use super::sink::FileSink;
use crate::Sink;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Alone, Card, Described, Doubt, SinkSettings, Topics, WrittenFile};
use crate::shared::template;

impl Described for SinkConfig {
    const CARD: Card = Card {
        also: super::ALSO,
        settings: &["path", "codec", "rotate"],
        guarantee: "exactly once",
    };
}

#[async_trait]
impl SinkSettings for SinkConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Sink>, BuildError> {
        Ok(Box::new(FileSink::new(self.clone(), around)?))
    }

    async fn probe(&self) -> Result<String, String> {
        probe(self)
    }

    fn doubts(&self) -> Vec<Doubt> {
        let mut doubts: Vec<Doubt> = template::doubt("path", &self.path).into_iter().collect();
        let suffix = [".gz", ".zst"].into_iter().find(|suffix| self.path.ends_with(suffix));
        let (compression, written) = match self.compression {
            Compression::None => ("none", None),
            Compression::Gzip => ("gzip", Some(".gz")),
            Compression::Zstd => ("zstd", Some(".zst")),
        };
        if let Some(suffix) = suffix.filter(|suffix| written != Some(suffix)) {
            let problem = format!("ends in {suffix}, and compression is {compression}");
            let meant = if suffix == ".gz" { "gzip" } else { "zstd" };
            let hint = format!("set compression: {meant}, or leave {suffix} out");
            doubts.push(Doubt { setting: "path", problem, hint });
        }
        doubts
    }

    fn writes(&self, topic: &str) -> Option<WrittenFile> {
        let (example, template) = (self.example_path(topic), self.path.clone());
        Some(WrittenFile { setting: "path", example, template })
    }

    fn side_by_side(&self, topics: Topics) -> Result<(), Alone> {
        if !self.path.contains("{partition}") {
            let problem = "several deliveries would write one file";
            return Err(Alone { problem, hint: "put {partition} into the path" });
        }
        if topics == Topics::Several && !self.path.contains("{topic}") {
            let problem = "several deliveries would write one file, with records of several topics";
            return Err(Alone { problem, hint: "put {topic} into the path, too" });
        }
        Ok(())
    }
}
