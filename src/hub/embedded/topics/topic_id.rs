//! The id of a topic, which no other topic ever has: it is in the identity of each of its records.
//!
//! Each partition's folder has it in `partition.metadata`:
//!
//! ```text
//! version: 0
//! topic_id: 0123456789ab
//! crc: 89abcdef
//! ```
//!
//! The last line is the CRC-32C of the id, in hexadecimal; files of earlier versions have none. An id that is damaged is taken from
//! another partition, or from the last snapshot of positions, which names the ids of all topics.

use std::path::Path;

use anabranch_connectors::contract::clock::now_ms;
use uuid::Uuid;

use crate::log::{Finding, LogError, write_atomically};

const FILE: &str = "partition.metadata";
const LENGTH: usize = 12;

/// An id that no other topic has: twelve letters and digits.
pub(super) fn new() -> String {
    Uuid::new_v4().simple().to_string().chars().take(LENGTH).collect()
}

/// A topic's id without the hub's, as its folders have it.
pub(crate) fn short_id(id: &str) -> &str {
    id.rsplit('.').next().unwrap_or(id)
}

/// Writes the id into a partition's folder.
pub(super) fn store(folder: &Path, id: &str) -> Result<(), LogError> {
    let id = short_id(id);
    let text = format!("version: 0\ntopic_id: {id}\ncrc: {:08x}\n", crc32c::crc32c(id.as_bytes()));
    write_atomically(&folder.join(FILE), &text)
}

/// The id in a partition's folder; `None` when it is missing or damaged.
pub(crate) fn load(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(FILE)).ok()?;
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let id = value("topic_id: ")?;
    let is_whole = id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sum = format!("{:08x}", crc32c::crc32c(id.as_bytes()));
    // A damaged name of the line is damage as well: files without it have two lines.
    let is_right = match text.lines().nth(2) {
        None => true,
        Some(line) => line.strip_prefix("crc: ") == Some(sum.as_str()),
    };
    (is_whole && is_right).then(|| id.to_owned())
}

/// The id of a topic from the folders of its partitions, which all have it afterwards; `noted`: the one that a snapshot
/// of positions names.
pub(super) fn settle(
    topic: &str,
    folders: &[&Path],
    noted: Option<&String>,
) -> Result<(String, Option<Finding>), LogError> {
    let loaded: Vec<(&Path, Option<String>)> =
        folders.iter().map(|folder| (*folder, load(folder))).collect();
    let mut good = loaded.iter().filter_map(|(_, id)| id.as_ref());
    let agreed = noted.filter(|noted| good.clone().any(|id| id == *noted));
    let known = agreed.or_else(|| good.next()).or(noted).cloned();
    let id = known.clone().unwrap_or_else(new);
    let mut was_damaged = false;
    for (folder, found) in &loaded {
        if found.as_ref() != Some(&id) {
            was_damaged |= folder.join(FILE).exists();
            store(folder, &id)?;
        }
    }
    let what = match known {
        Some(_) if !was_damaged => return Ok((id, None)),
        None if !was_damaged => return Ok((id, None)),
        Some(_) => {
            "partition.metadata was damaged or missing; the topic's id is known from elsewhere, and nothing is lost"
        }
        None => {
            "partition.metadata is damaged, and the topic has a new id: what sinks have delivered of it and read once \
             more has new identities, so Elasticsearch may have documents twice"
        }
    };
    let partition = topic.to_owned();
    let what = what.to_owned();
    Ok((id, Some(Finding { time_ms: now_ms(), partition, from: 0, to: 0, what })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flip_in_the_file_is_noticed_and_the_id_comes_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("t-0"), folder.path().join("t-1"));
        for path in [&one, &two] {
            std::fs::create_dir(path).unwrap();
        }
        let folders = [one.as_path(), two.as_path()];
        let (id, finding) = settle("t", &folders, None).unwrap();
        assert_eq!(finding, None);
        let whole = std::fs::read(one.join(FILE)).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(one.join(FILE), &bytes).unwrap();
            let loaded = load(&one);
            assert!(loaded.is_none() || loaded.as_ref() == Some(&id), "{at}: {loaded:?}");
            let (settled, _) = settle("t", &folders, None).unwrap();
            assert_eq!(settled, id, "{at}");
            // Alone, a snapshot of positions knows it.
            std::fs::write(one.join(FILE), &bytes).unwrap();
            let alone = [one.as_path()];
            assert_eq!(settle("t", &alone, Some(&id)).unwrap().0, id, "{at}");
            std::fs::write(one.join(FILE), &bytes).unwrap();
            let (settled, finding) = settle("t", &alone, None).unwrap();
            assert!(settled == id || finding.unwrap().what.contains("a new id"), "{at}");
            std::fs::write(one.join(FILE), &whole).unwrap();
        }
        std::fs::write(one.join(FILE), format!("version: 0\ntopic_id: {id}\n")).unwrap();
        assert_eq!(load(&one).as_ref(), Some(&id), "as earlier versions wrote it");
    }
}
