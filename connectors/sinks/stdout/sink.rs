//! Writes to standard output, for people and for pipes.

use std::io::{ErrorKind, Write as _};

use anabranch_record::Records;
use async_trait::async_trait;
use serde::Deserialize;

use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Alone, Card, Described, SinkSettings, Topics};
use crate::shared::document::{Codec, Encoder};
use crate::{Sink, WriteError, Written};

/// The `stdout` block of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkConfig {
    /// How a record is written, each on a line of its own.
    pub codec: Codec,
}

impl Described for SinkConfig {
    const CARD: Card = Card {
        also: &["console", "print", "debug", "logging"],
        settings: &[],
        guarantee: "at least once",
    };
}

#[async_trait]
impl SinkSettings for SinkConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Sink>, BuildError> {
        Ok(Box::new(StdoutSink::new(self.clone(), around)?))
    }

    async fn probe(&self) -> Result<String, String> {
        Ok("the terminal".to_owned())
    }

    fn side_by_side(&self, _topics: Topics) -> Result<(), Alone> {
        let problem = "this sink takes one delivery at a time";
        Err(Alone { problem, hint: "write 1" })
    }
}

/// The sink.
#[derive(Debug)]
pub struct StdoutSink {
    encoder: Encoder,
    text: Vec<u8>,
}

impl StdoutSink {
    /// Builds it. Every setting can work.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::needless_pass_by_value, reason = "every connector is built alike")]
    pub fn new(config: SinkConfig, around: &Surroundings) -> Result<Self, BuildError> {
        let _unused = around;
        let SinkConfig { codec } = config;
        Ok(Self { encoder: Encoder::new(codec), text: Vec::new() })
    }

    fn lines(&mut self, records: &Records) -> &[u8] {
        self.text.clear();
        for stored in records.iter() {
            self.encoder.push(&stored, &mut self.text);
            self.text.push(b'\n');
        }
        &self.text
    }
}

#[async_trait]
impl Sink for StdoutSink {
    async fn write(&mut self, records: &Records) -> Result<Written, WriteError> {
        let text = self.lines(records);
        let mut output = std::io::stdout().lock();
        let result = output.write_all(text).and_then(|()| output.flush());
        result.map(|()| Written::done()).map_err(|problem| WriteError::Fatal {
            target: "standard output".to_owned(),
            reason: problem.to_string(),
            hint: if problem.kind() == ErrorKind::BrokenPipe {
                "the program that reads it has ended"
            } else {
                "check where standard output goes"
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::testing::stored;

    #[test]
    fn each_record_is_a_line() {
        let mut records = Records::default();
        records.push(stored(&[b"a", b"b"]));
        let config = SinkConfig { codec: Codec::Raw };
        let mut sink = StdoutSink::new(config, &Surroundings::default()).unwrap();
        assert_eq!(sink.lines(&records), b"a\nb\n");
        assert_eq!(sink.lines(&records), b"a\nb\n");
        let mut sink = StdoutSink::new(SinkConfig::default(), &Surroundings::default()).unwrap();
        let text = String::from_utf8(sink.lines(&records).to_vec()).unwrap();
        assert!(text.lines().all(|line| line.starts_with("{\"@timestamp\":")), "{text}");
    }
}
