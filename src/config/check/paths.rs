//! Paths that cannot be the file or the folder that they are to be.

use std::path::Path;

use anabranch_connectors::contract::settings::WrittenFile;

use super::findings::Findings;
use crate::config::Config;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    if !is_at_home(&config.data_dir, &["data_dir"], findings) && config.data_dir.is_file() {
        let problem = format!("{} is a file", config.data_dir.display());
        findings.error(&["data_dir"], problem, "name a folder, or one that is to be made");
    }
    for (name, sink) in &config.sinks {
        let Some(written) = sink.to.writes("x") else { continue };
        let WrittenFile { setting, example: file, template } = written;
        let path = ["sinks", name, "to", sink.to.kind(), setting];
        if is_at_home(Path::new(&template), &path, findings) {
            continue;
        }
        let is_open = template.contains('{');
        if !is_open && Path::new(&template).is_dir() {
            let folder = template.trim_end_matches('/');
            let hint = format!("name a file in it, such as {folder}/{{topic}}.log");
            findings.error(&path, format!("{folder} is a folder"), hint);
        } else if let Some(above) = file.ancestors().skip(1).find(|above| above.exists())
            && above.is_file()
        {
            let problem = format!("{} is a file, and would have to be a folder", above.display());
            findings.error(&path, problem, "write to another folder");
        }
    }
}

/// Whether the path begins with the shell's word for the home folder, which only a shell fills in.
fn is_at_home(path: &Path, setting: &[&str], findings: &mut Findings) -> bool {
    let Some(rest) = path.to_str().and_then(|path| path.strip_prefix('~')) else { return false };
    if !rest.is_empty() && !rest.starts_with('/') {
        return false;
    }
    let problem = format!("`~` in {} would be a folder of that name", path.display());
    findings.error(setting, problem, format!("write ${{HOME}}{rest}, or the whole path"));
    true
}
