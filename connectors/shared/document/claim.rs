//! Which of our members a value has itself: one bit for each.

pub(super) const TIMESTAMP: u32 = 1;
pub(super) const HOST: u32 = 1 << 1;
pub(super) const LOG_FILE: u32 = 1 << 2;
pub(super) const LOG_FLAGS: u32 = 1 << 3;
pub(super) const LOG_SYSLOG: u32 = 1 << 4;
pub(super) const SOURCE: u32 = 1 << 5;
pub(super) const ERROR: u32 = 1 << 6;
pub(super) const LABELS: u32 = 1 << 7;
pub(super) const EVENT_ID: u32 = 1 << 8;
pub(super) const EVENT_DATASET: u32 = 1 << 9;
pub(super) const KAFKA: u32 = 1 << 10;
/// All that the headers of a record make.
pub(super) const OF_HEADERS: u32 =
    HOST | LOG_FILE | LOG_FLAGS | LOG_SYSLOG | SOURCE | ERROR | LABELS;

/// Which of our members a name of the value takes the place of.
pub(super) fn claim(name: &str) -> u32 {
    match name {
        "@timestamp" => TIMESTAMP,
        "host" | "host.name" => HOST,
        "log" => LOG_FILE | LOG_FLAGS | LOG_SYSLOG,
        "log.file" | "log.file.path" => LOG_FILE,
        "log.flags" => LOG_FLAGS,
        "source" | "source.address" | "source.ip" | "source.port" => SOURCE,
        "error" | "error.message" => ERROR,
        "labels" => LABELS,
        "event" => EVENT_ID | EVENT_DATASET,
        "event.id" => EVENT_ID,
        "event.dataset" => EVENT_DATASET,
        "kafka" | "kafka.key" => KAFKA,
        _ if name.starts_with("log.syslog") => LOG_SYSLOG,
        _ => 0,
    }
}
