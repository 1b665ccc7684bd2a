//! What a message says about itself, as headers of its record, encoded without allocation.

use std::sync::LazyLock;

use anabranch_record::{Batch, header, varint};

use super::alike::Alike;
use super::calendar::Received;
use super::parse::parse;
use super::parsed::Parsed;

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
const SEVERITIES: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The headers of facility and severity for each priority, encoded once.
static PRIORITIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let pairs =
        FACILITIES.iter().flat_map(|facility| SEVERITIES.iter().map(move |s| (facility, s)));
    pairs.map(|(facility, severity)| priority(facility, severity)).collect()
});

/// Names of headers as they are encoded: length (a varint of one byte, twice the number) and bytes.
const VERSION_1: &[u8] = b"\x1csyslog.version\x021";
const HOST: &[u8] = b"\x08host";
const HOSTNAME: &[u8] = b"\x1esyslog.hostname";
const APPNAME: &[u8] = b"\x1csyslog.appname";
const PROCID: &[u8] = b"\x1asyslog.procid";
const MSGID: &[u8] = b"\x18syslog.msgid";
const STRUCTURED_DATA: &[u8] = b"\x2csyslog.structured_data";
const SEQUENCE: &[u8] = b"\x1esyslog.sequence";
const MESSAGE_AT: &[u8] = b"\x22syslog.message_at";

fn priority(facility: &str, severity: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    header::push("syslog.facility", Some(facility.as_bytes()), &mut bytes);
    header::push("syslog.severity", Some(severity.as_bytes()), &mut bytes);
    bytes
}

/// Collects the headers of one record, in memory that serves the next one too.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
    count: u32,
    timestamp_ms: Option<i64>,
    /// The last message that was taken apart, and its host.
    before: Alike,
    host: Vec<u8>,
}

impl Encoder {
    /// Begins with nothing.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.count, self.timestamp_ms) = (0, None);
    }

    /// Adds what `message` says about itself. Where it names no host it is from `sender`.
    pub(super) fn read(&mut self, message: &[u8], received: Received, sender: &[u8]) {
        if let Some((timestamp_ms, (headers, count))) = self.before.meet(message, received) {
            self.bytes.extend_from_slice(headers);
            self.count += count;
            self.timestamp_ms = Some(timestamp_ms);
            return;
        }
        let (start, count) = (self.bytes.len(), self.count);
        let parsed = parse(message, received);
        self.message(&parsed, sender);
        let headers = self.bytes.get(start..).unwrap_or_default();
        self.before.remember(message, &parsed, (headers, self.count - count));
    }

    /// Adds what a message says about itself. Where it names no host it is from `sender`.
    fn message(&mut self, parsed: &Parsed<'_>, sender: &[u8]) {
        self.host.clear();
        self.host.extend_from_slice(parsed.hostname.unwrap_or(sender));
        self.same_host();
        self.timestamp_ms = parsed.timestamp_ms;
        if let Some(priority) = parsed.priority {
            let pair = PRIORITIES.get(usize::from(priority));
            self.add(pair.map_or(&[], Vec::as_slice), 2);
        }
        if parsed.is_5424 {
            self.add(VERSION_1, 1);
        }
        self.field(HOSTNAME, parsed.hostname);
        self.field(APPNAME, parsed.appname);
        self.field(PROCID, parsed.procid);
        self.field(MSGID, parsed.msgid);
        self.field(STRUCTURED_DATA, parsed.structured_data);
        self.field(SEQUENCE, parsed.sequence);
        if parsed.message_at > 0 {
            self.message_at(parsed.message_at);
        }
        if let Some(problem) = parsed.problem {
            self.rare("parse_error", problem.as_bytes());
        }
    }

    /// Adds the host of the message before, for a piece of the same.
    pub(super) fn same_host(&mut self) {
        if !self.host.is_empty() {
            self.bytes.extend_from_slice(HOST);
            varint::push_bytes(Some(&self.host), &mut self.bytes);
            self.count += 1;
        }
    }

    /// Adds a header that few records have.
    pub(super) fn rare(&mut self, name: &str, value: &[u8]) {
        header::push(name, Some(value), &mut self.bytes);
        self.count += 1;
    }

    /// Adds one header that is encoded already, or none.
    pub(super) fn encoded(&mut self, encoded: &[u8]) {
        self.add(encoded, u32::from(!encoded.is_empty()));
    }

    /// Gives what was collected to the last record of `batch`.
    pub(super) fn apply(&self, batch: &mut Batch) {
        if self.count > 0 {
            batch.set_encoded_headers(&self.bytes, self.count);
        }
        if let Some(timestamp_ms) = self.timestamp_ms {
            batch.set_timestamp_ms(timestamp_ms);
        }
    }

    fn add(&mut self, encoded: &[u8], count: u32) {
        self.bytes.extend_from_slice(encoded);
        self.count += count;
    }

    fn field(&mut self, name: &[u8], value: Option<&[u8]>) {
        if let Some(value) = value {
            self.bytes.extend_from_slice(name);
            varint::push_bytes(Some(value), &mut self.bytes);
            self.count += 1;
        }
    }

    fn message_at(&mut self, at: usize) {
        let mut digits = [0u8; 20];
        let mut first = digits.len();
        let mut left = at;
        for slot in digits.iter_mut().rev() {
            *slot = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
            first -= 1;
            if left == 0 {
                break;
            }
        }
        self.field(MESSAGE_AT, digits.get(first..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::{Buffer, Headers};

    #[test]
    fn encoded_names_are_those_that_the_encoder_of_headers_writes() {
        let parsed = Parsed {
            priority: Some(165),
            is_5424: true,
            timestamp_ms: Some(7),
            hostname: Some(b"h"),
            appname: Some(b"a"),
            procid: Some(b"p"),
            msgid: Some(b"m"),
            structured_data: Some(b"[x]"),
            sequence: Some(b"7"),
            time_at: None,
            message_at: 1234,
            problem: Some("no"),
        };
        let mut batch = Batch::new(Buffer::from(b"x".to_vec()), Headers::new(), 0, 0);
        batch.push(0..1);
        let mut peer = Vec::new();
        header::push("peer", Some(b"10.0.0.1"), &mut peer);
        let mut encoder = Encoder::default();
        encoder.rare("old", b"");
        encoder.clear();
        encoder.encoded(&peer);
        encoder.encoded(b"");
        encoder.message(&parsed, b"10.0.0.1");
        encoder.apply(&mut batch);
        let record = batch.iter().next().unwrap();
        let seen: Vec<_> = record.headers.iter().map(|(n, v)| (n, v.unwrap())).collect();
        let expected: [(&str, &[u8]); 13] = [
            ("peer", b"10.0.0.1"),
            ("host", b"h"),
            ("syslog.facility", b"local4"),
            ("syslog.severity", b"notice"),
            ("syslog.version", b"1"),
            ("syslog.hostname", b"h"),
            ("syslog.appname", b"a"),
            ("syslog.procid", b"p"),
            ("syslog.msgid", b"m"),
            ("syslog.structured_data", b"[x]"),
            ("syslog.sequence", b"7"),
            ("syslog.message_at", b"1234"),
            ("parse_error", b"no"),
        ];
        assert_eq!(seen, expected);
        assert_eq!((record.header_count, record.timestamp_ms), (13, 7));
    }
}
