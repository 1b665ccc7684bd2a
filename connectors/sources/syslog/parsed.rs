//! What is known of a message.

/// What a message says about itself, borrowed from it. What it does not say is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Facility × 8 + severity, 0 – 191.
    pub priority: Option<u8>,
    /// Whether it is of RFC 5424.
    pub is_5424: bool,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The machine that it is from.
    pub hostname: Option<&'a [u8]>,
    /// The program.
    pub appname: Option<&'a [u8]>,
    /// The process.
    pub procid: Option<&'a [u8]>,
    /// The kind of message.
    pub msgid: Option<&'a [u8]>,
    /// All structured data, as it stands there.
    pub structured_data: Option<&'a [u8]>,
    /// The numbers by which a Cisco device counts its messages, as they stand there.
    pub sequence: Option<&'a [u8]>,
    /// Where the timestamp of a message of RFC 5424 begins and ends, if it is one.
    pub time_at: Option<(usize, usize)>,
    /// Index of the byte at which the text begins.
    pub message_at: usize,
    /// What keeps it from being a message of either kind.
    pub problem: Option<&'static str>,
}
