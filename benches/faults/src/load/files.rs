//! A log file that grows and is rotated.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::Desk;
use crate::oracle::Way;
use crate::random::{Random, number_of};

/// How a log file is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Renamed, and made anew.
    Renamed,
    /// Copied, and cut to nothing; its writer pauses meanwhile.
    Copied,
    /// Renamed elsewhere, with a link in the watched folder that stays.
    Linked,
}

/// One log file.
#[derive(Debug)]
pub struct Log {
    /// The stream's name, and the file's.
    pub name: String,
    /// The folder that the agent watches.
    pub folder: PathBuf,
    /// A folder beside it, for targets of links.
    pub beside: PathBuf,
    /// How it is rotated.
    pub rotation: Rotation,
    /// Whether what was rotated is watched, too. Copies are then files of their own, in no order with the original.
    pub wide: bool,
}

impl Log {
    /// Writes until told to stop.
    pub fn grow(&self, desk: &Desk) {
        let mut random = Random::of(&[desk.oracle.seed, number_of(&self.name)]);
        let mut rotated = 0;
        desk.oracle.open(&self.name, Way::File);
        if self.wide && self.rotation == Rotation::Copied {
            desk.oracle.forget_order(&self.name);
        }
        // A folder that cannot be written is a fault of the bench, which then has nothing to judge.
        let Ok(mut file) = self.begin() else { return };
        let mut until_rotation = 60;
        while !desk.stopped() {
            if self.write(desk, &mut random, &mut file).is_err() {
                return;
            }
            desk.pause(random.between(2, 40));
            until_rotation -= 1;
            if until_rotation == 0 {
                rotated += 1;
                desk.rotations.fetch_add(1, Ordering::Relaxed);
                match self.rotate(rotated) {
                    Ok(new) => file = new,
                    Err(_error) => return,
                }
                until_rotation = random.between(60, 250);
            }
        }
    }

    /// A few lines, now and then in two pieces with a pause within a line.
    fn write(&self, desk: &Desk, random: &mut Random, file: &mut File) -> std::io::Result<()> {
        let most = if random.chance(5) { 200 } else { 12 };
        let count = 1 + random.size(most);
        let (first, lines) = desk.oracle.issue(&self.name, count);
        let mut text = lines.join("\n");
        text.push('\n');
        let cut = if random.chance(10) { random.size(text.len()) } else { 0 };
        let (head, tail) = text.as_bytes().split_at(cut);
        if !head.is_empty() {
            file.write_all(head)?;
            desk.pause(random.between(1, 100));
        }
        file.write_all(tail)?;
        desk.oracle.acknowledged(&self.name, first, count);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        let folder = if self.rotation == Rotation::Linked { &self.beside } else { &self.folder };
        folder.join(format!("{}.log", self.name))
    }

    fn begin(&self) -> std::io::Result<File> {
        let file = open(&self.path())?;
        if self.rotation == Rotation::Linked {
            std::os::unix::fs::symlink(
                self.path(),
                self.folder.join(format!("{}.log", self.name)),
            )?;
        }
        Ok(file)
    }

    fn rotate(&self, number: u32) -> std::io::Result<File> {
        let path = self.path();
        let mut old = path.clone().into_os_string();
        old.push(format!(".{number:04}"));
        match self.rotation {
            Rotation::Renamed | Rotation::Linked => fs::rename(&path, &old)?,
            Rotation::Copied => {
                fs::copy(&path, &old)?;
                File::options().write(true).open(&path)?.set_len(0)?;
            }
        }
        open(&path)
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(path)
}
