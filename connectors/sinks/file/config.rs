//! The `file` block of a sink.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::member::Compression;
use super::names::PathTemplate;
use super::rotate::{Rotate, numbered};
use crate::contract::build::BuildError;
use crate::shared::document::Codec;

/// The `file` block of a sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// Template of the path, `./archive/{topic}/{date}.ndjson`; what fills it in cannot add or leave a folder.
    /// `.gz` or `.zst` is added when the file is compressed and the name lacks it.
    pub path: String,
    /// How a record is written.
    #[serde(default)]
    pub codec: Codec,
    /// The folder that no path leaves; when missing, the longest folder of `path` in which nothing is filled in.
    #[serde(default)]
    pub base_dir: Option<PathBuf>,
    /// When a file ends and the next one, with the next number in its name, begins.
    #[serde(default)]
    pub rotate: Rotate,
    /// Whether files are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// A file that has not been written for so long is closed; at least one second.
    #[serde(default = "SinkConfig::default_idle_close", with = "humantime_serde")]
    pub idle_close: Duration,
    /// Whether files are on the disk (fdatasync) before their offsets are committed. Without it a power cut, but no
    /// crash of the program, can cost records.
    #[serde(default = "SinkConfig::default_sync")]
    pub sync: bool,
    /// Most files that are open at once.
    #[serde(default = "SinkConfig::default_max_open_files")]
    pub max_open_files: usize,
    /// Permissions of new files, octal digits, less the process's umask.
    #[serde(default = "SinkConfig::default_mode", deserialize_with = "octal")]
    pub mode: u32,
}

impl SinkConfig {
    const fn default_idle_close() -> Duration {
        Duration::from_secs(30)
    }

    const fn default_sync() -> bool {
        true
    }

    const fn default_max_open_files() -> usize {
        256
    }

    const fn default_mode() -> u32 {
        0o640
    }

    pub(super) fn template(&self) -> Result<PathTemplate, BuildError> {
        PathTemplate::parse(&self.path, self.base_dir.as_deref(), self.compression.suffix())
    }

    /// A path that it writes for `topic`.
    pub(super) fn example_path(&self, topic: &str) -> PathBuf {
        let template = self.template();
        let path =
            template.map_or_else(|_| PathBuf::from(&self.path), |found| found.example(topic));
        numbered(&path, u64::from(self.rotate.is_on()))
    }

    pub(super) fn check(&self) -> Result<(), BuildError> {
        let problem = |setting, problem: &str, hint| {
            Err(BuildError { setting, problem: problem.to_owned(), hint })
        };
        if self.rotate.keep.is_some() && !self.rotate.is_on() {
            return problem(
                "rotate.keep",
                "has no effect",
                "set rotate.size or rotate.time as well",
            );
        }
        if self.rotate.keep == Some(0) {
            return problem("rotate.keep", "is 0", "keep at least one file before the present one");
        }
        if self.rotate.size.is_some_and(|size| size.0 == 0) {
            return problem("rotate.size", "is 0", "set a size such as 100MiB");
        }
        if self.idle_close < Duration::from_secs(1) {
            return problem("idle_close", "is below one second", "set a time such as 30s");
        }
        if self.max_open_files == 0 {
            return problem("max_open_files", "is 0", "allow at least one");
        }
        Ok(())
    }
}

fn octal<'de, D: Deserializer<'de>>(input: D) -> Result<u32, D::Error> {
    let text = String::deserialize(input)?;
    let digits = text.strip_prefix("0o").unwrap_or(&text);
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| {
        de::Error::custom(format!("\"{text}\" is not a mode in octal digits such as \"0640\""))
    })
}
