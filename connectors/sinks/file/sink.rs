//! Writes files, each record exactly once; see `state.rs` for why.

use std::io::ErrorKind;
use std::path::PathBuf;

use anabranch_record::{Records, StoredRecord};
use async_trait::async_trait;
use tokio::time::Instant;

use super::config::SinkConfig;
use super::member::{Compression, Compressor};
use super::names::PathTemplate;
use super::open_files::{CHUNK, Entry, Failed, Files};
use super::rotate::{Place, numbered};
use super::state::{States, of};
use super::which::Which;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::clock;
use crate::contract::sink::Resumed;
use crate::shared::document::Encoder;
use crate::{Sink, WriteError, Written};

/// The sink.
#[derive(Debug)]
pub struct FileSink {
    pub(super) config: SinkConfig,
    pub(super) template: PathTemplate,
    pub(super) files: Files,
    pub(super) states: States,
    /// The state of the last checkpoint, while it still holds.
    pub(super) state: Option<String>,
    /// Whether other deliveries of this sink write beside it.
    pub(super) parted: bool,
    /// What could not be synced, until the files are cut to their committed lengths.
    pub(super) broken: Option<(PathBuf, String)>,
    /// The file of the record before, and of this one.
    names: (String, String),
    encoder: Encoder,
}

impl FileSink {
    /// Builds it. Opens nothing.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SinkConfig, around: &Surroundings) -> Result<Self, BuildError> {
        config.check()?;
        let template = config.template()?;
        let compressor = Compressor::new(config.compression);
        let files = Files::new(&template.base, config.mode, config.max_open_files, compressor);
        let states = States::new(&template.base, &around.name, config.sync);
        Ok(Self {
            encoder: Encoder::new(config.codec),
            config,
            template,
            files,
            states,
            state: None,
            parted: false,
            broken: None,
            names: (String::new(), String::new()),
        })
    }

    fn trusted(&self) -> Result<(), WriteError> {
        self.broken.as_ref().map_or(Ok(()), |(path, reason)| {
            Err(WriteError::NotNow {
                target: path.display().to_string(),
                reason: format!(
                    "could not be brought to the disk, what may be lost is written again: {reason}"
                ),
                retry_after: None,
            })
        })
    }

    /// Makes the places of new names known; true when one of them, or a new number, must be committed.
    fn survey(&mut self, records: &Records, now: Instant) -> Result<bool, WriteError> {
        let (mut last, mut news, now_s) = (None, false, clock::now_ms().div_euclid(1000));
        self.names.0.clear();
        let needs = self.template.needs;
        let is_mixed = needs.topic && records.batches().any(|(batch, _)| batch.is_mixed());
        if needs.only_the_batch() && !is_mixed {
            for stored in records.batches().filter_map(|(batch, _)| batch.iter().next()) {
                news |= self.next_name(&stored, &mut last) && self.meet(&stored, now, now_s)?;
            }
            return Ok(news);
        }
        for stored in records.iter() {
            news |= self.next_name(&stored, &mut last) && self.meet(&stored, now, now_s)?;
        }
        Ok(news)
    }

    /// Makes the place of the present name known; true when it must be committed.
    fn meet(
        &mut self,
        stored: &StoredRecord<'_>,
        now: Instant,
        now_s: i64,
    ) -> Result<bool, WriteError> {
        let name = &self.names.0;
        if let Some(entry) = self.files.get_mut(name) {
            entry.used = now;
            entry.due = self.config.rotate.is_due(entry.place, now_s);
            if entry.place.which == Which::Nobody && !entry.due {
                self.files.claim(name).map_err(refuse)?;
                self.state = None;
                return Ok(true);
            }
            return Ok(!entry.covered || entry.due);
        }
        let path = self.template.base.join(name);
        let place = self.config.rotate.discover(&path, now_s);
        let place = place.map_err(|error| refuse((path, error)))?;
        let of = self
            .template
            .needs
            .partition
            .then(|| of(&stored.batch.topic.name, stored.batch.partition));
        self.files.insert((name.clone(), place, of), false, now);
        self.state = None;
        self.files.claim(name).map_err(refuse)?;
        Ok(true)
    }

    /// Finds the file of `stored`; true when it is another one than that of the record before.
    #[inline]
    fn next_name<'a>(
        &mut self,
        stored: &StoredRecord<'a>,
        last: &mut Option<StoredRecord<'a>>,
    ) -> bool {
        if last.as_ref().is_some_and(|last| self.template.is_same(last, stored)) {
            return false;
        }
        *last = Some(*stored);
        self.template.render(stored, &mut self.names.1);
        if self.names.0 == self.names.1 {
            return false;
        }
        std::mem::swap(&mut self.names.0, &mut self.names.1);
        true
    }

    fn encode(&mut self, records: &Records, now: Instant) -> Result<(), WriteError> {
        let chunk = if self.config.compression == Compression::None { CHUNK } else { usize::MAX };
        let (mut last, mut buffer, mut count) = (None, Vec::new(), 0);
        self.names.0.clear();
        for stored in records.iter() {
            let is_full = buffer.len() >= chunk;
            let is_other = self.next_name(&stored, &mut last);
            if is_full || is_other {
                let filled = (std::mem::take(&mut buffer), std::mem::take(&mut count));
                let before = if is_other { &self.names.1 } else { &self.names.0 };
                self.files.put(before, filled).map_err(refuse)?;
                let taken = self.files.take(&self.names.0, now);
                buffer = taken.ok_or_else(|| self.unprepared())?;
            }
            self.encoder.push(&stored, &mut buffer);
            buffer.push(b'\n');
            count += 1;
        }
        self.files.put(&self.names.0, (buffer, count)).map_err(refuse)
    }

    fn unprepared(&self) -> WriteError {
        WriteError::NotNow {
            target: self.template.base.join(&self.names.0).display().to_string(),
            reason: "the place of a new file is not committed yet".to_owned(),
            retry_after: None,
        }
    }

    /// Gives every name whose file has had its time the next number. Side by side with others only those whose partitions
    /// are part of the commit: for the others the new number would not be known.
    fn rotate(&mut self) {
        let (rotate, now_s) = (&self.config.rotate, clock::now_ms().div_euclid(1000));
        let mut ended = Vec::new();
        for (name, entry) in self.files.iter_mut() {
            let is_named = !self.parted || entry.dirty || std::mem::take(&mut entry.due);
            if is_named && rotate.is_due(entry.place, now_s) {
                let sequence = entry.place.sequence + 1;
                let which = Which::Nobody;
                entry.place = Place { length: 0, sequence, started_s: now_s, which };
                entry.covered = false;
                entry.since = (0, 0);
                ended.push((name.to_owned(), entry.place));
            }
        }
        for (name, place) in ended {
            self.files.close(&name);
            let path = self.template.base.join(&name);
            tracing::info!(path = %numbered(&path, place.sequence).display(), "a new file begins");
            let removed = rotate
                .outdated(&path, place)
                .and_then(|outdated| outdated.into_iter().try_for_each(std::fs::remove_file));
            if let Err(error) = removed {
                tracing::warn!(path = %path.display(), %error, "cannot remove old files of this name");
            }
            self.state = None;
        }
    }

    fn forget_idle(&mut self) {
        let oldest = Instant::now().checked_sub(self.config.idle_close);
        if oldest.is_some_and(|oldest| self.files.forget_idle(oldest)) {
            self.state = None;
        }
    }
}

/// What a failure of the system means for the delivery.
pub(super) fn refuse((path, error): Failed) -> WriteError {
    let (target, kind, reason) = (path.display().to_string(), error.kind(), error.to_string());
    let fatal = |target, reason, hint| WriteError::Fatal { target, reason, hint };
    if matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
        let hint = "let the user that the agent runs as write there, or set another `path`";
        return fatal(target, reason, hint);
    }
    // A folder that cannot be made because a file stands in its place is "already exists".
    let misplaced = [
        ErrorKind::NotADirectory,
        ErrorKind::IsADirectory,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
    ];
    if misplaced.contains(&kind) {
        let hint = "what stands there is no folder or no file; remove it, or set another `path`";
        return fatal(target, reason, hint);
    }
    if kind == ErrorKind::InvalidFilename {
        return fatal(target, reason, "set a shorter `path`");
    }
    let is_full = matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let hint = if is_full { "; free some space, or limit the files by rotate.keep" } else { "" };
    WriteError::NotNow { target, reason: format!("{reason}{hint}"), retry_after: None }
}

#[async_trait]
impl Sink for FileSink {
    async fn resume(&mut self, resumed: &Resumed) -> Result<(), WriteError> {
        self.take_up(resumed)
    }

    async fn prepare(&mut self, records: &Records) -> Result<bool, WriteError> {
        self.trusted()?;
        self.survey(records, Instant::now())
    }

    async fn write(&mut self, records: &Records) -> Result<Written, WriteError> {
        self.trusted()?;
        if records.is_empty() {
            return Ok(Written::done());
        }
        self.state = None;
        let encoded = self.encode(records, Instant::now());
        let written = encoded.and_then(|()| self.files.finish().map_err(refuse));
        if let Err(error) = written {
            self.files.undo();
            return Err(error);
        }
        Ok(Written::done())
    }

    async fn checkpoint(&mut self) -> Result<Option<String>, WriteError> {
        self.trusted()?;
        self.forget_idle();
        self.files.flush_all().map_err(refuse)?;
        self.files.look_first().map_err(refuse)?;
        if self.config.sync
            && let Err((path, error)) = self.files.sync()
        {
            self.broken = Some((path, error.to_string()));
            return self.trusted().map(|()| None);
        }
        self.rotate();
        if self.state.is_none() {
            let place = |(name, entry): (&str, &mut Entry)| {
                (name.to_owned(), entry.place, entry.of.clone())
            };
            let places = self.files.iter_mut().map(place).collect();
            self.state = Some(self.states.encode(places, self.parted).map_err(refuse)?);
        }
        for (_, entry) in self.files.iter_mut() {
            entry.dirty = false;
        }
        Ok(self.state.clone())
    }

    fn is_in_doubt(&self) -> bool {
        self.broken.is_some()
    }

    fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.files.lost)
    }

    fn committed(&mut self) {
        for (_, entry) in self.files.iter_mut() {
            entry.covered = true;
        }
        self.files.committed();
    }

    async fn idle(&mut self) {
        self.forget_idle();
    }
}
