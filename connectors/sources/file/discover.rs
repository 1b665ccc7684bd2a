//! Which files are meant: globs with excludes, as a test on a path; `walk` has them looked for.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

use glob::{MatchOptions, Pattern, PatternError};

use super::patterns::written_out;

/// `*` and `?` stay within one component; nothing is hidden.
pub(super) const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// One component of a pattern.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Just this name.
    Name(OsString),
    /// Names of this form.
    Form(Pattern),
    /// Any number of folders, none too.
    Folders,
}

/// The files that a source is to read.
#[derive(Debug, Clone)]
pub(super) struct Globs {
    include: Vec<Vec<Part>>,
    exclude: Vec<Exclude>,
}

#[derive(Debug, Clone)]
enum Exclude {
    Name(Pattern),
    Path(Pattern),
}

impl Globs {
    /// Reads the patterns; relative ones count from `base`.
    ///
    /// # Errors
    /// The pattern that is not one, and why.
    pub(super) fn new(
        base: &Path,
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, (String, String)> {
        let parts = |text: &str| parts(base, text);
        let read_exclude = |text: &str| {
            if text.contains('/') {
                let (root, text) = absolute(base, text);
                Pattern::new(&format!("{}{text}", Pattern::escape(&root))).map(Exclude::Path)
            } else {
                Pattern::new(text).map(Exclude::Name)
            }
        };
        Ok(Self { include: each(include, parts)?, exclude: each(exclude, read_exclude)? })
    }

    /// Whether `path`, absolute, is meant.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let names: Vec<&OsStr> = names(path);
        self.include.iter().any(|parts| fits(parts, &names)) && !self.excludes(path)
    }

    /// Whether `path` is left out.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|exclude| match exclude {
            Exclude::Name(form) => {
                path.file_name().is_some_and(|name| form.matches(&name.to_string_lossy()))
            }
            Exclude::Path(form) => form.matches_path_with(path, OPTIONS),
        })
    }

    /// The patterns, one component after the other.
    pub(super) fn include(&self) -> impl Iterator<Item = &[Part]> {
        self.include.iter().map(Vec::as_slice)
    }
}

/// Reads every pattern that `texts` are short for.
fn each<T>(
    texts: &[String],
    read: impl Fn(&str) -> Result<T, PatternError>,
) -> Result<Vec<T>, (String, String)> {
    let mut all = Vec::new();
    for text in texts {
        let patterns = written_out(text).map_err(|cause| (text.clone(), cause))?;
        for pattern in patterns {
            all.push(read(&pattern).map_err(|cause| (text.clone(), cause.to_string()))?);
        }
    }
    Ok(all)
}

fn fits(parts: &[Part], names: &[&OsStr]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return names.is_empty() };
    let Some((name, others)) = names.split_first() else { return false };
    match part {
        Part::Name(wanted) => wanted == *name && fits(rest, others),
        Part::Form(form) => {
            form.matches_with(&name.to_string_lossy(), OPTIONS) && fits(rest, others)
        }
        Part::Folders => fits(rest, names) || fits(parts, others),
    }
}

fn names(path: &Path) -> Vec<&OsStr> {
    let normal = |component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(normal).collect()
}

/// The root that a pattern starts from and the pattern itself, which is then absolute.
fn absolute(base: &Path, text: &str) -> (String, String) {
    if text.starts_with('/') {
        return (String::new(), text.to_owned());
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    (base.to_string_lossy().trim_end_matches('/').to_owned(), format!("/{text}"))
}

fn parts(base: &Path, text: &str) -> Result<Vec<Part>, PatternError> {
    Pattern::new(text)?;
    let (root, text) = absolute(base, text);
    let mut parts: Vec<Part> = names(Path::new(&root)).into_iter().map(name_part).collect();
    for name in names(Path::new(&text)) {
        let name = name.to_string_lossy();
        if name == "**" {
            parts.push(Part::Folders);
        } else if name.contains(['*', '?', '[']) {
            parts.push(Part::Form(Pattern::new(&name)?));
        } else {
            parts.push(name_part(OsStr::new(&*name)));
        }
    }
    if matches!(parts.last(), Some(Part::Folders)) {
        parts.push(Part::Form(Pattern::new("*")?));
    }
    Ok(parts)
}

fn name_part(name: &OsStr) -> Part {
    Part::Name(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_glob_is_refused() {
        for text in ["a[", "a**b"] {
            assert!(Globs::new(Path::new("/"), &[text.to_owned()], &[]).is_err(), "{text}");
        }
    }
}
