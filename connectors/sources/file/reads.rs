//! Which of many paths a source would read: its patterns, compiled once.

use std::path::Path;

use super::config::SourceConfig;
use super::discover::Globs;
use crate::contract::settings::FileSet;
use crate::shared::paths::{plain, resolve};

/// The files that a source would read.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    /// As they are written, and with the links in their folders resolved, which may be reached by another way.
    globs: [Globs; 2],
    beginnings: Vec<Vec<u8>>,
}

impl Reads {
    pub(super) fn new(config: &SourceConfig) -> Option<Self> {
        let (written, base) = config.check().ok()?;
        let include: Vec<String> =
            config.include.iter().map(|glob| with_links_resolved(glob, &base)).collect();
        let resolved = Globs::new(&base, &include, &config.exclude).ok()?;
        let as_written = config.include.iter().map(|glob| {
            let (folder, form) = fixed(glob);
            [plain(&base.join(folder)).as_os_str().as_encoded_bytes(), b"/", form.as_bytes()]
                .concat()
        });
        let by_links = config.include.iter().map(|glob| {
            let (folder, form) = fixed(glob);
            [
                resolve(&plain(&base.join(folder))).as_os_str().as_encoded_bytes(),
                b"/",
                form.as_bytes(),
            ]
            .concat()
        });
        let mut beginnings: Vec<Vec<u8>> = as_written.chain(by_links).map(single_root).collect();
        beginnings.sort_unstable();
        beginnings.dedup();
        Some(Self { globs: [written, resolved], beginnings })
    }
}

impl FileSet for Reads {
    fn contains(&self, path: &Path) -> bool {
        self.globs.iter().any(|globs| globs.matches(path))
    }

    fn beginnings(&self) -> Vec<&[u8]> {
        self.beginnings.iter().map(Vec::as_slice).collect()
    }
}

/// The folder of a glob in which nothing is open, and what is fixed of the name behind it.
fn fixed(glob: &str) -> (&str, &str) {
    let open = glob.find(['*', '?', '[', '{']).unwrap_or(glob.len());
    let fixed = glob.get(..open).unwrap_or(glob);
    match fixed.rsplit_once('/') {
        Some(("", form)) => ("/", form),
        Some((folder, form)) => (folder, form),
        None => (".", fixed),
    }
}

fn with_links_resolved(glob: &str, base: &Path) -> String {
    let (folder, form) = fixed(glob);
    let rest =
        glob.find(['*', '?', '[', '{']).and_then(|open| glob.get(open..)).unwrap_or_default();
    let folder = resolve(&plain(&base.join(folder)));
    format!("{}/{form}{rest}", glob::Pattern::escape(&folder.to_string_lossy()))
}

/// `//x` as `/x`: the root is its own slash.
fn single_root(path: Vec<u8>) -> Vec<u8> {
    if path.starts_with(b"//") { path.get(1..).unwrap_or_default().to_vec() } else { path }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::shared::paths::places;

    #[test]
    fn a_path_that_a_sink_writes_is_recognised_by_whatever_way_it_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        let include = |glob: PathBuf| {
            let block = serde_json::json!({ "include": [glob] });
            let config: SourceConfig = serde_json::from_value(block).unwrap();
            Reads::new(&config).unwrap()
        };
        let reads = |source: &Reads, path: &Path| {
            let places = places(path);
            let found = places.iter().any(|path| source.contains(path));
            let begins = |path: &PathBuf| {
                let path = path.as_os_str().as_encoded_bytes();
                source.beginnings().iter().any(|beginning| path.starts_with(beginning))
            };
            assert!(!found || places.iter().any(begins), "{path:?} does not begin as it should");
            found
        };
        let through_link = include(root.join("link/*.log"));
        for (path, wanted) in [
            ("link/a.log", true),
            ("real/a.log", true),
            ("real/../link/./a.log", true),
            ("real/a.log.gz", false),
            ("a.log", false),
        ] {
            assert_eq!(reads(&through_link, &root.join(path)), wanted, "{path}");
        }
        let relative = include("logs/**".into());
        assert!(reads(&relative, Path::new("./logs/x/y")));
        assert!(reads(&relative, &std::env::current_dir().unwrap().join("logs/x")));
        assert!(!reads(&relative, Path::new("other/x")));
    }
}
