//! Where a record is written: a path template, confined to its base folder by construction.
//!
//! The template is cut at its `/` before anything is filled in, and each piece is rendered and cleaned by itself: a
//! value can never add a folder, leave one (`..`) or name nothing. So no record is refused for its path.

use std::path::{Component, Path, PathBuf};

use anabranch_record::{Record, StoredRecord};

use crate::contract::build::BuildError;
use crate::shared::template::{Needs, Template, clean_path_segment};

/// Longest piece of a path that values can make, bytes; leaves room for a sequence number below the system's 255.
const PIECE_MAX: usize = 220;

/// Prefix of the files that the sink keeps for itself in its base folder.
pub(super) const OWN: &str = ".anabranch-";

/// A path template behind its base folder.
#[derive(Debug)]
pub(super) struct PathTemplate {
    /// The folder that no path leaves.
    pub(super) base: PathBuf,
    /// What its text depends on, over all pieces.
    pub(super) needs: Needs,
    pieces: Vec<Template>,
    suffix: &'static str,
}

impl PathTemplate {
    /// Reads `path`; every rendered name ends in `suffix` (`.gz`, or nothing).
    ///
    /// # Errors
    /// [`BuildError`] when the template is damaged, names no file, or lies outside `base_dir`.
    pub(super) fn parse(
        path: &str,
        base_dir: Option<&Path>,
        suffix: &'static str,
    ) -> Result<Self, BuildError> {
        let (literal, rest) = literal_folder(path);
        let mut texts: Vec<String> = Vec::new();
        let base = match base_dir {
            None => PathBuf::from(if literal.is_empty() { "." } else { literal }),
            Some(base) => {
                let below = below(Path::new(literal), base).ok_or_else(|| BuildError {
                    setting: "path",
                    problem: format!("\"{path}\" does not begin with base_dir {}", base.display()),
                    hint: "write the whole path, with base_dir as its beginning",
                })?;
                texts.extend(below.iter().map(|piece| piece.to_string_lossy().into_owned()));
                base.to_path_buf()
            }
        };
        texts.extend(pieces(rest).map(str::to_owned));
        texts.retain(|text| text != ".");
        if let Some(text) = texts.iter().find(|text| *text == ".." || text.is_empty()) {
            return Err(BuildError {
                setting: "path",
                problem: format!("\"{path}\" has the piece \"{text}\" behind its base folder"),
                hint: "let it end in a file name, and leave out `..` and empty pieces",
            });
        }
        let pieces = texts.iter().map(|text| piece(text)).collect::<Result<Vec<_>, _>>()?;
        let needs = pieces.iter().map(Template::needs).fold(Needs::default(), either);
        Ok(Self { base, needs, pieces, suffix })
    }

    /// A path that it gives for a record of `topic`, for a person.
    pub(super) fn example(&self, topic: &str) -> PathBuf {
        let mut name = String::new();
        for piece in &self.pieces {
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(&piece.render_example(topic));
        }
        self.end(&mut name);
        self.base.join(name)
    }

    /// Writes the name of the file for `stored`, relative to the base folder, into `name`.
    pub(super) fn render(&self, stored: &StoredRecord<'_>, name: &mut String) {
        name.clear();
        for piece in &self.pieces {
            if !name.is_empty() {
                name.push('/');
            }
            let start = name.len();
            piece.render_with(stored, clean_path_segment, name);
            clean(name, start);
        }
        self.end(name);
    }

    /// Whether it surely gives the same name for both.
    #[inline]
    pub(super) fn is_same(&self, last: &StoredRecord<'_>, next: &StoredRecord<'_>) -> bool {
        let (needs, before, after) = (self.needs, &last.record, &next.record);
        let hour = |record: &Record<'_>| record.timestamp_ms.div_euclid(3_600_000);
        std::ptr::eq(last.batch, next.batch)
            && (!needs.day
                || before.timestamp_ms == after.timestamp_ms
                || hour(before) == hour(after))
            && (!needs.topic || !next.batch.is_mixed())
            && (!needs.headers || before.headers.own == after.headers.own)
            && (!needs.key || before.key == after.key)
    }

    fn end(&self, name: &mut String) {
        if !name.ends_with(self.suffix) {
            name.push_str(self.suffix);
        }
    }
}

fn either(left: Needs, right: Needs) -> Needs {
    Needs {
        topic: left.topic || right.topic,
        partition: left.partition || right.partition,
        day: left.day || right.day,
        hour: left.hour || right.hour,
        headers: left.headers || right.headers,
        key: left.key || right.key,
    }
}

fn piece(text: &str) -> Result<Template, BuildError> {
    Template::parse(text).map_err(|problem| BuildError {
        setting: "path",
        problem: format!("has a piece \"{text}\" that cannot be read: {problem}"),
        hint: "write for example ./archive/{topic}/{date}.ndjson",
    })
}

/// Cuts `path` into its folder without places to fill in, and the rest.
fn literal_folder(path: &str) -> (&str, &str) {
    let literal = path.find('{').unwrap_or(path.len());
    let cut = path.get(..literal).and_then(|head| head.rfind('/'));
    match cut {
        Some(0) => ("/", path.get(1..).unwrap_or_default()),
        Some(at) => path
            .split_at_checked(at)
            .map_or(("", path), |(folder, rest)| (folder, rest.get(1..).unwrap_or_default())),
        None => ("", path),
    }
}

/// The part of `folder` behind `base`, or `None` when it is not inside.
fn below(folder: &Path, base: &Path) -> Option<PathBuf> {
    let plain = |path: &Path| -> PathBuf {
        path.components().filter(|part| *part != Component::CurDir).collect()
    };
    plain(folder).strip_prefix(plain(base)).map(Path::to_path_buf).ok()
}

/// Cuts at each `/` that is not inside braces.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == '/' && depth == 0
    })
}

/// Makes what was rendered from `start` on one harmless piece of a path.
fn clean(name: &mut String, start: usize) {
    let Some(piece) = name.get(start..) else { return };
    let harmful = |letter: char| letter == '/' || letter.is_control();
    let bad_name = matches!(piece, "" | "." | "..") || piece.starts_with(OWN);
    if !bad_name && piece.len() <= PIECE_MAX && !piece.contains(harmful) {
        return;
    }
    let mut cleaned: String = piece.chars().map(|l| if harmful(l) { '_' } else { l }).collect();
    while cleaned.len() > PIECE_MAX {
        cleaned.pop();
    }
    if bad_name {
        cleaned.insert(0, '_');
    }
    name.truncate(start);
    name.push_str(&cleaned);
}

/// Whether `name` stays inside a folder that it is joined to.
pub(super) fn is_confined(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::testing::store;
    use anabranch_record::{Batch, Buffer, Headers};
    use proptest::prelude::*;

    fn render(path: &str, host: &[u8]) -> (PathBuf, String) {
        let template = PathTemplate::parse(path, None, "").unwrap();
        let headers = Headers::new().with("host", host);
        let mut batch = Batch::new(Buffer::default(), headers, 1000, 0);
        batch.push_copy(b"value");
        let stored = store(&batch);
        let mut name = String::new();
        template.render(&stored.iter().next().unwrap(), &mut name);
        (template.base, name)
    }

    #[test]
    fn the_base_folder_is_the_longest_literal_one() {
        for (path, base, name) in [
            ("./a/b/{topic}/x.log", "./a/b", "t/x.log"),
            ("/a/x{topic}.log", "/a", "xt.log"),
            ("/{topic}.log", "/", "t.log"),
            ("{topic}", ".", "t"),
            ("out.log", ".", "out.log"),
            ("../out/./{topic}/./y", "../out/.", "t/y"),
        ] {
            assert_eq!(render(path, b"h"), (PathBuf::from(base), name.to_owned()), "{path}");
        }
    }

    #[test]
    fn a_base_dir_must_be_the_beginning_of_the_path() {
        let template =
            |path: &str, base: &str| PathTemplate::parse(path, Some(Path::new(base)), "");
        assert_eq!(template("./a/b/{topic}", "a").unwrap().pieces.len(), 2);
        assert!(template("/b/{topic}", "/a").unwrap_err().to_string().contains("base_dir /a"));
        assert!(template("/ab/{topic}", "/a").is_err());
        for path in ["a/{topic}/../b", "a/{topic}/", "a//{topic}//b", "a/", ""] {
            assert!(PathTemplate::parse(path, None, "").is_err(), "{path}");
        }
    }

    #[test]
    fn a_header_cannot_leave_its_piece() {
        for (host, name) in [
            (&b"../../etc/passwd"[..], "a.._.._etc_passwd/x"),
            (b"", "aunknown/x"),
            (b"a\0\nb", "aa__b/x"),
        ] {
            assert_eq!(render("a{header.host}/x", host).1, name);
        }
        assert_eq!(render("{header.host}/x", b"..").1, "__/x");
        assert_eq!(render("{header.host}/x", b"/").1, "_/x");
        assert_eq!(render("{header.host}", b".anabranch-x").1, "_.anabranch-x");
    }

    proptest! {
        #[test]
        fn whatever_a_header_holds_the_path_is_confined(host in proptest::collection::vec(any::<u8>(), 0..400)) {
            let (_, name) = render("x/{header.host}/{header.host}.log", &host);
            prop_assert!(is_confined(&name), "{name}");
            prop_assert_eq!(name.split('/').count(), 2);
            prop_assert!(name.split('/').all(|piece| piece.len() < 230));
        }
    }
}
