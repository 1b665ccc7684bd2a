//! Which configuration is meant, for the commands that are about one.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::hub;

/// Which configuration is meant.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// A file, or a folder of *.yaml files; otherwise ./anabranch.yaml or /etc/anabranch/anabranch.yaml
    #[arg(value_name = "CONFIG", env = "ANABRANCH_CONFIG")]
    place: Option<PathBuf>,
    /// The same, as other commands take it
    #[arg(short = 'c', long = "config", value_name = "CONFIG")]
    named: Option<PathBuf>,
}

impl ConfigArgs {
    /// Where it is.
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        hub::config_path(self.named.as_deref().or(self.place.as_deref()))
    }
}
