//! The committed frames: a good one of each API and version, and whatever once broke something.
//!
//! A file for each API in `corpus/`, and `crashers.txt`; a frame is a line, in hexadecimal, without its length.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::broker::Served;
use crate::random::Random;
use crate::requests;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(line: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("hexadecimal");
    (0..line.len() / 2).map(|index| byte(2 * index)).collect()
}

pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder())
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path())
        .collect();
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.lines().map(bytes).collect::<Vec<_>>()).collect()
}

/// Every API and version must be there: whoever serves another one writes the corpus again.
pub(crate) fn check(served: &[Served]) {
    let frames = frames();
    for (key, first, last) in served {
        for version in *first..=*last {
            let head = [(*key as i16).to_be_bytes(), version.to_be_bytes()].concat();
            let there = frames.iter().any(|frame| frame.starts_with(&head));
            assert!(
                there,
                "no frame of {key:?} version {version}; run the fuzzer with --write-corpus"
            );
        }
    }
}

/// Writes a good frame of each API and version.
pub(crate) fn write(served: &[Served]) {
    std::fs::create_dir_all(folder()).unwrap();
    for (key, first, last) in served {
        let mut text = String::new();
        for version in *first..=*last {
            let mut random = Random::new(u64::try_from(version).unwrap());
            let frame = (0..1000).filter_map(|_| requests::frame(*key, version, &mut random));
            let frame =
                frame.filter(|frame| frame.len() < 2000).max_by_key(|frame| frame.len().min(200));
            let frame =
                frame.unwrap_or_else(|| panic!("{key:?} version {version} cannot be encoded"));
            writeln!(text, "{}", hex(&frame)).unwrap();
        }
        std::fs::write(folder().join(format!("{key:?}.txt")), text).unwrap();
    }
}
