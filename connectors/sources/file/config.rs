//! The `file` block of a source.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::discover::Globs;
use crate::ByteSize;
use crate::contract::build::BuildError;

/// The `file` block of a source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Globs of the files to read: `*`, `?`, `[…]` within a name, `**` for any number of folders, `{a,b}` for a choice.
    /// Links are followed, those to folders too.
    pub include: Vec<String>,
    /// Globs of files to leave out; one without a slash is compared with the name alone. Replaces the default, which
    /// leaves out what is compressed or binary: `*.gz`, `*.zst`, `*.bz2`, `*.xz`, `*.lz4`, `*.zip`, `*.journal`.
    #[serde(default = "SourceConfig::default_exclude")]
    pub exclude: Vec<String>,
    /// Where the files begin that are there at the very first start.
    #[serde(default)]
    pub read_from: ReadFrom,
    /// Files that were last written longer ago are left alone until they are written again.
    #[serde(default, with = "humantime_serde")]
    pub ignore_older: Option<Duration>,
    /// Longest record; longer lines are cut into pieces, each but the last with the header `continued: true`.
    #[serde(default = "SourceConfig::default_max_line_bytes")]
    pub max_line_bytes: ByteSize,
    /// How long the end of a last line is waited for; one second at most once the file is rotated away.
    #[serde(default = "SourceConfig::default_partial_line_timeout", with = "humantime_serde")]
    pub partial_line_timeout: Duration,
    /// Files that did not grow for so long are closed, and opened again when they do.
    #[serde(default = "SourceConfig::default_close_idle", with = "humantime_serde")]
    pub close_idle: Duration,
    /// How long a file that was renamed or deleted is kept open after it last grew.
    #[serde(default = "SourceConfig::default_rotate_wait", with = "humantime_serde")]
    pub rotate_wait: Duration,
    /// How often the folders are looked through, whatever the watches say.
    #[serde(default = "SourceConfig::default_reconcile_interval", with = "humantime_serde")]
    pub reconcile_interval: Duration,
    /// How changes are learnt of.
    #[serde(default)]
    pub watch: WatchMode,
    /// How often files are looked at where they cannot be watched.
    #[serde(default = "SourceConfig::default_poll_interval", with = "humantime_serde")]
    pub poll_interval: Duration,
}

/// Where to begin to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// With their first byte.
    #[default]
    Beginning,
    /// With what is written from now on.
    End,
}

/// How changes are learnt of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchMode {
    /// Folders are watched where that can be, else files are looked at in turn.
    #[default]
    Auto,
    /// Files are looked at in turn; for file systems that do not tell of changes made elsewhere.
    Poll,
}

impl SourceConfig {
    fn default_exclude() -> Vec<String> {
        ["*.gz", "*.zst", "*.bz2", "*.xz", "*.lz4", "*.zip", "*.journal"].map(str::to_owned).into()
    }

    const fn default_max_line_bytes() -> ByteSize {
        ByteSize::mib(1)
    }

    const fn default_partial_line_timeout() -> Duration {
        Duration::from_secs(30)
    }

    const fn default_close_idle() -> Duration {
        Duration::from_mins(5)
    }

    const fn default_rotate_wait() -> Duration {
        Duration::from_secs(5)
    }

    const fn default_reconcile_interval() -> Duration {
        Duration::from_secs(10)
    }

    const fn default_poll_interval() -> Duration {
        Duration::from_millis(250)
    }

    pub(super) fn check(&self) -> Result<(Globs, PathBuf), BuildError> {
        let invalid = |setting, problem: String, hint| BuildError { setting, problem, hint };
        if self.include.is_empty() || self.include.iter().any(|glob| glob.trim().is_empty()) {
            let hint = "name at least one path or glob, such as /var/log/app/*.log";
            return Err(invalid("include", "has nothing to read".to_owned(), hint));
        }
        if let Some(glob) = self.include.iter().find(|glob| glob.starts_with('~')) {
            let problem = format!("has \"{glob}\", where only a shell knows what ~ is");
            return Err(invalid("include", problem, "write the whole path of the folder"));
        }
        let line_max = self.max_line_bytes;
        if line_max == ByteSize(0) || line_max > ByteSize::mib(64) {
            let hint = "choose a size from 1 to 64MiB";
            return Err(invalid("max_line_bytes", format!("is {line_max}"), hint));
        }
        for (setting, interval) in
            [("reconcile_interval", self.reconcile_interval), ("poll_interval", self.poll_interval)]
        {
            if interval < Duration::from_millis(1) {
                return Err(invalid(setting, format!("is {interval:?}"), "choose at least 1ms"));
            }
        }
        let base = std::env::current_dir().map_err(|cause| {
            let problem = format!("is relative to a folder that cannot be found: {cause}");
            invalid("include", problem, "write absolute paths")
        });
        let relative = self.include.iter().any(|glob| !glob.starts_with('/'));
        let base = if relative { base? } else { base.unwrap_or_else(|_unused| "/".into()) };
        let globs = Globs::new(&base, &self.include, &self.exclude).map_err(|(text, cause)| {
            let setting = if self.include.contains(&text) { "include" } else { "exclude" };
            let hint = "`*` stays within a name, `**` stands alone between slashes";
            invalid(setting, format!("has \"{text}\", which is not a glob: {cause}"), hint)
        })?;
        Ok((globs, base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::build::Surroundings;
    use crate::sources::file::FileSource;

    fn config(yaml: serde_json::Value) -> Result<SourceConfig, serde_json::Error> {
        serde_json::from_value(yaml)
    }

    #[test]
    fn settings_that_cannot_work_are_refused_with_what_to_do() {
        for (block, wanted) in [
            (serde_json::json!({ "include": [] }), "`include` has nothing to read"),
            (serde_json::json!({ "include": ["/a/b["] }), "\"/a/b[\", which is not a glob"),
            (serde_json::json!({ "include": ["/{a,b[}"] }), "\"/{a,b[}\", which is not a glob"),
            (serde_json::json!({ "include": ["~/a"] }), "write the whole path of the folder"),
            (
                serde_json::json!({ "include": ["/a"], "exclude": ["x**"] }),
                "`exclude` has \"x**\", which is not a glob",
            ),
            (
                serde_json::json!({ "include": ["/a"], "max_line_bytes": "65MiB" }),
                "`max_line_bytes` is 65MiB; choose a size from 1 to 64MiB",
            ),
            (serde_json::json!({ "include": ["/a"], "poll_interval": "0s" }), "at least 1ms"),
        ] {
            let problem = config(block).unwrap();
            let problem = FileSource::new(problem, &Surroundings::default()).unwrap_err();
            assert!(problem.to_string().contains(wanted), "{problem}");
        }
        assert!(config(serde_json::json!({ "include": ["/a"], "fingerprint": 1 })).is_err());
        assert!(config(serde_json::json!({ "exclude": [] })).is_err());
    }
}
