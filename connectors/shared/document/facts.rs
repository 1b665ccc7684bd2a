//! What the headers of a record say, found in one walk and written under the names of the schema.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use anabranch_record::header::HeadersRef;

use super::{claim, json};

/// Headers `syslog.NAME` that have a place of their own in the schema, and that place under `log.syslog`.
const SYSLOG: [(&str, Place); 9] = [
    ("facility", Place::Level),
    ("severity", Place::Level),
    ("hostname", Place::Text),
    ("appname", Place::Text),
    ("procid", Place::Text),
    ("msgid", Place::Text),
    ("structured_data", Place::Text),
    ("version", Place::Text),
    ("sequence", Place::Text),
];

/// Above so many labels they are looked up in a map, so that many of them do not cost their square.
const LABELS_COMPARED: usize = 32;

#[derive(Clone, Copy)]
enum Place {
    /// `NAME`
    Text,
    /// `NAME.name`, or `NAME.code` for a number
    Level,
}

/// The known headers of one record.
#[derive(Default)]
pub(super) struct Facts<'a> {
    host: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    peer: Option<&'a [u8]>,
    parse_error: Option<&'a [u8]>,
    syslog: [Option<&'a [u8]>; SYSLOG.len()],
    has_syslog: bool,
    is_continued: bool,
    labels: usize,
    /// The byte of the value at which the message begins.
    pub(super) message_at: Option<usize>,
}

/// What one header is.
enum Kind {
    Host,
    Path,
    Peer,
    ParseError,
    Continued,
    MessageAt,
    Syslog(usize),
    Label,
}

fn kind_of(name: &str) -> Kind {
    match name {
        "host" => Kind::Host,
        "path" => Kind::Path,
        "peer" => Kind::Peer,
        "parse_error" => Kind::ParseError,
        "continued" => Kind::Continued,
        "syslog.message_at" => Kind::MessageAt,
        _ => name
            .strip_prefix("syslog.")
            .and_then(|part| SYSLOG.iter().position(|(known, _)| *known == part))
            .map_or(Kind::Label, Kind::Syslog),
    }
}

impl<'a> Facts<'a> {
    /// Walks the headers; the last of a name counts.
    pub(super) fn read(headers: HeadersRef<'a>) -> Self {
        let mut facts = Self::default();
        for (name, value) in headers.iter() {
            match kind_of(name) {
                Kind::Host => facts.host = value,
                Kind::Path => facts.path = value,
                Kind::Peer => facts.peer = value,
                Kind::ParseError => facts.parse_error = value,
                Kind::Continued => facts.is_continued = true,
                Kind::MessageAt => facts.message_at = value.and_then(decimal),
                Kind::Label => facts.labels += 1,
                Kind::Syslog(index) => {
                    facts.has_syslog = true;
                    if let Some(slot) = facts.syslog.get_mut(index) {
                        *slot = value;
                    }
                }
            }
        }
        facts
    }

    /// Writes the members that these headers make, except those that the value has `claimed`.
    pub(super) fn push(&self, headers: HeadersRef<'_>, claimed: u32, out: &mut Vec<u8>) {
        if let Some(host) = self.host
            && claimed & claim::HOST == 0
        {
            json::push_object("host", out, |out| json::push_member("name", host, out));
        }
        if self.path.is_some() || self.has_syslog || self.is_continued {
            json::push_object("log", out, |out| self.push_log(claimed, out));
        }
        if let Some(peer) = self.peer
            && claimed & claim::SOURCE == 0
        {
            json::push_object("source", out, |out| push_address(peer, out));
        }
        if let Some(message) = self.parse_error
            && claimed & claim::ERROR == 0
        {
            json::push_object("error", out, |out| json::push_member("message", message, out));
        }
        if self.labels > 0 && claimed & claim::LABELS == 0 {
            json::push_object("labels", out, |out| push_labels(headers, self.labels, out));
        }
    }

    fn push_log(&self, claimed: u32, out: &mut Vec<u8>) {
        if let Some(path) = self.path
            && claimed & claim::LOG_FILE == 0
        {
            json::push_object("file", out, |out| json::push_member("path", path, out));
        }
        if self.is_continued && claimed & claim::LOG_FLAGS == 0 {
            out.extend_from_slice(b"\"flags\":[\"continued\"],");
        }
        if self.has_syslog && claimed & claim::LOG_SYSLOG == 0 {
            json::push_object("syslog", out, |out| self.push_syslog(out));
        }
    }

    fn push_syslog(&self, out: &mut Vec<u8>) {
        for ((name, place), value) in SYSLOG.iter().zip(self.syslog) {
            let Some(value) = value else {
                continue;
            };
            match place {
                Place::Text => json::push_member(name, value, out),
                Place::Level => json::push_object(name, out, |out| match decimal(value) {
                    Some(code) => push_number("code", code, out),
                    None => json::push_member("name", value, out),
                }),
            }
        }
    }
}

/// A peer is `IP:PORT`, an IP address, or something else (a path, a name).
fn push_address(peer: &[u8], out: &mut Vec<u8>) {
    let text = str::from_utf8(peer).unwrap_or_default();
    if let Ok(address) = text.parse::<SocketAddr>() {
        let ip = text.rsplit_once(':').map_or(text, |(ip, _)| ip);
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        push_ip(ip, out);
        push_number("port", usize::from(address.port()), out);
    } else if text.parse::<IpAddr>().is_ok() {
        push_ip(text, out);
    } else {
        json::push_member("address", peer, out);
    }
}

fn push_ip(ip: &str, out: &mut Vec<u8>) {
    json::push_member("address", ip.as_bytes(), out);
    json::push_member("ip", ip.as_bytes(), out);
}

fn push_number(name: &str, number: usize, out: &mut Vec<u8>) {
    json::push_string(name.as_bytes(), out);
    out.push(b':');
    anabranch_record::digits::push_decimal(anabranch_record::varint::length(number), out);
    out.push(b',');
}

/// Each name once, with its last value, in the order of these. A blank name, which search servers refuse, is `_`.
fn push_labels(headers: HeadersRef<'_>, count: usize, out: &mut Vec<u8>) {
    let labels = || {
        let others = headers.iter().filter(|(name, _)| matches!(kind_of(name), Kind::Label));
        others.map(|(name, value)| (if name.trim().is_empty() { "_" } else { name }, value))
    };
    if count <= LABELS_COMPARED {
        for (number, (name, value)) in labels().enumerate() {
            if !labels().skip(number + 1).any(|(later, _)| same_label(later, name)) {
                push_label(name, value, out);
            }
        }
        return;
    }
    let last: HashMap<String, usize> =
        labels().enumerate().map(|(number, (name, _))| (name.replace('.', "_"), number)).collect();
    for (number, (name, value)) in labels().enumerate() {
        if last.get(&name.replace('.', "_")) == Some(&number) {
            push_label(name, value, out);
        }
    }
}

fn same_label(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().map(undotted).eq(right.bytes().map(undotted))
}

const fn undotted(byte: u8) -> u8 {
    if byte == b'.' { b'_' } else { byte }
}

fn push_label(name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(b'"');
    for (index, part) in name.split('.').enumerate() {
        if index > 0 {
            out.push(b'_');
        }
        json::push_escaped(part.as_bytes(), out);
    }
    out.extend_from_slice(b"\":");
    match value {
        Some(value) => json::push_string(value, out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b',');
}

fn decimal(value: &[u8]) -> Option<usize> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}
