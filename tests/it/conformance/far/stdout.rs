//! A pipe, whose reader may rest or end.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::OFlags;

use super::Far;
use crate::support::{Agent, SOON, wait_until};

/// What the reader does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Reads,
    Rests,
    Away,
    Ended,
}

struct Desk {
    wanted: Mode,
    now: Mode,
    text: Vec<u8>,
}

struct Pipe {
    path: PathBuf,
    desk: Arc<Mutex<Desk>>,
}

/// A pipe in `at` that is read.
pub(in crate::conformance) fn open(at: &Path) -> Option<Box<dyn Far>> {
    let path = at.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let desk = Desk { wanted: Mode::Reads, now: Mode::Away, text: Vec::new() };
    let pipe = Pipe { path: path.clone(), desk: Arc::new(Mutex::new(desk)) };
    let desk = Arc::clone(&pipe.desk);
    std::thread::spawn(move || read(&path, &desk));
    pipe.want(Mode::Reads);
    Some(Box::new(pipe))
}

impl Pipe {
    /// Returns when the reader does as told.
    fn want(&self, mode: Mode) {
        self.desk.lock().wanted = mode;
        wait_until(SOON, "the reader of the pipe", || self.desk.lock().now == mode);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Not waited for: it may be a failure that ends the test.
        let mut desk = self.desk.lock();
        desk.wanted = Mode::Ended;
    }
}

/// The reader: it opens the pipe also when nobody writes, and is told within a moment what else to do.
fn read(path: &Path, desk: &Mutex<Desk>) {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let (mut pipe, mut piece) = (None, vec![0; 64 << 10]);
    loop {
        let mode = desk.lock().wanted;
        match mode {
            Mode::Ended => return,
            Mode::Away => pipe = None,
            Mode::Reads | Mode::Rests if pipe.is_none() => {
                pipe = Some(File::options().read(true).custom_flags(flags).open(path).unwrap());
            }
            Mode::Reads | Mode::Rests => {}
        }
        let size = match &mut pipe {
            Some(pipe) if mode == Mode::Reads => pipe.read(&mut piece).unwrap_or_default(),
            _ => 0,
        };
        let mut desk = desk.lock();
        desk.text.extend_from_slice(&piece[..size]);
        desk.now = mode;
        drop(desk);
        if size == 0 {
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Far for Pipe {
    fn to(&self, _password: Option<&str>) -> String {
        "stdout: { codec: raw }".to_owned()
    }

    /// Whole lines. What a writer that was killed has left of one stands before the next, and comes again.
    fn arrived(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.desk.lock().text).into_owned();
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        let begin = |line: &str| line.rfind('#').map_or(0, |mark| mark.saturating_sub(1));
        whole.lines().map(|line| line.get(begin(line)..).unwrap_or(line).to_owned()).collect()
    }

    fn count(&self) -> usize {
        self.desk.lock().text.iter().filter(|byte| **byte == b'\n').count()
    }

    fn start(&self, folder: &Path, blocks: &str) -> Agent {
        Agent::start_into(folder, blocks, &self.path)
    }

    fn go_away(&mut self) {
        self.want(Mode::Away);
    }

    fn come_back(&mut self) {
        self.want(Mode::Reads);
    }

    fn hold(&mut self) {
        self.want(Mode::Rests);
    }

    fn go_on(&mut self) {
        self.want(Mode::Reads);
    }
}
