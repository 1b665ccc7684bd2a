//! What a power cut leaves: of each file and of each folder on its own some part of what was not synced.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::tree::{Change, File, Folder, Kind, Tree, apply};
use crate::random::Random;

/// What is older is written by the system itself.
const WRITTEN_BACK: Duration = Duration::from_secs(30);

/// What is written whole or not at all.
const PAGE: usize = 4096;

impl Tree {
    /// Cuts the power.
    pub(super) fn cut(&mut self, random: &mut Random) {
        for node in self.nodes.values_mut() {
            match &mut node.kind {
                Kind::File(file) => file.cut(random),
                Kind::Folder(folder) => folder.cut(random),
                Kind::Socket => {}
            }
        }
        let named: Vec<u64> = self.named();
        self.nodes.retain(|id, _node| named.contains(id));
    }

    /// Ids that have a name, and the root.
    fn named(&self) -> Vec<u64> {
        let mut found = vec![super::tree::ROOT];
        for node in self.nodes.values() {
            if let Kind::Folder(folder) = &node.kind {
                found.extend(folder.names.values());
            }
        }
        found
    }
}

/// How many of `count` steps that come one after the other survive.
fn survivors(count: usize, random: &mut Random) -> usize {
    match random.up_to(10) {
        0..=3 => 0,
        4..=6 => count,
        _ => random.size(count + 1),
    }
}

fn old(at: &Instant) -> bool {
    at.elapsed() > WRITTEN_BACK
}

impl Folder {
    fn cut(&mut self, random: &mut Random) {
        let written = self.pending.iter().take_while(|(at, _step)| old(at)).count();
        let keep = written.max(survivors(self.pending.len(), random));
        for (_at, step) in self.pending.drain(..).take(keep) {
            apply(&step, &mut self.safe);
        }
        self.names = self.safe.clone();
    }
}

impl File {
    fn cut(&mut self, random: &mut Random) {
        let written = self.pending.iter().take_while(|(at, _change)| old(at)).count();
        for (_at, change) in self.pending.drain(..written) {
            change.apply(&mut self.safe);
        }
        let pending: Vec<Change> = self.pending.drain(..).map(|(_at, change)| change).collect();
        if random.chance(15) {
            self.scatter(&pending, random);
        } else {
            let keep = survivors(pending.len(), random);
            pending.iter().take(keep).for_each(|change| change.apply(&mut self.safe));
            if let Some(Change::Write { at, bytes }) = pending.get(keep)
                && random.chance(50)
            {
                let torn = bytes.iter().take(random.size(bytes.len())).copied().collect();
                Change::Write { at: *at, bytes: torn }.apply(&mut self.safe);
            }
        }
        self.data = self.safe.clone();
    }

    /// The file has its new length, and of the pages between some are as they were before: nothing, where none were.
    fn scatter(&mut self, pending: &[Change], random: &mut Random) {
        let before = std::mem::take(&mut self.safe);
        let mut after = before.clone();
        pending.iter().for_each(|change| change.apply(&mut after));
        let mut lost = BTreeMap::new();
        for (number, page) in after.chunks_mut(PAGE).enumerate() {
            let at = number * PAGE;
            let was: Vec<u8> = before.iter().skip(at).take(page.len()).copied().collect();
            if page != was && *lost.entry(number).or_insert_with(|| random.chance(40)) {
                let was = was.into_iter().chain(std::iter::repeat(0));
                page.iter_mut().zip(was).for_each(|(byte, was)| *byte = was);
            }
        }
        self.safe = after;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::ROOT;
    use super::*;

    fn written(tree: &mut Tree, id: u64, at: usize, text: &str) {
        tree.change(id, Change::Write { at, bytes: text.as_bytes().to_vec() }).unwrap();
    }

    #[test]
    fn what_was_synced_survives_and_of_the_rest_some_part_and_nothing_else() {
        let (mut all, mut none, mut torn, mut nameless) = (0, 0, 0, 0);
        for seed in 0..400 {
            let mut tree = Tree::new();
            let file =
                |tree: &mut Tree| tree.make(ROOT, "a", Kind::File(File::default()), 0o600).unwrap();
            let id = file(&mut tree);
            written(&mut tree, id, 0, "safe ");
            tree.sync(id).unwrap();
            written(&mut tree, id, 5, "lost");
            if seed % 2 == 0 {
                tree.sync_folder(ROOT).unwrap();
            }
            tree.cut(&mut Random::seeded(seed));
            let Ok(found) = tree.find(ROOT, "a") else {
                assert_eq!(seed % 2, 1);
                nameless += 1;
                continue;
            };
            let data = tree.file_mut(found).unwrap().data.clone();
            assert!(data.starts_with(b"safe ") && data.len() <= 9, "{data:?}");
            match data.len() {
                9 => all += 1,
                5 => none += 1,
                _ => torn += 1,
            }
        }
        assert!(all > 0 && none > 0 && torn > 0 && nameless > 0);
    }

    #[test]
    fn what_a_failed_sync_was_to_write_is_gone_though_a_later_one_works() {
        let mut tree = Tree::new();
        let id = tree.make(ROOT, "a", Kind::File(File::default()), 0o600).unwrap();
        tree.sync_folder(ROOT).unwrap();
        written(&mut tree, id, 0, "gone");
        tree.fail_sync(id);
        written(&mut tree, id, 4, "kept");
        tree.sync(id).unwrap();
        assert_eq!(tree.file_mut(id).unwrap().data, b"gonekept");
        tree.cut(&mut Random::seeded(1));
        assert_eq!(tree.file_mut(id).unwrap().data, b"\0\0\0\0kept");
    }
}
