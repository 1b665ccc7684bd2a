//! Librdkafka's properties as the client of [`crate::kafka`] understands them.
//!
//! | properties                                                                     | meaning here            |
//! |--------------------------------------------------------------------------------|-------------------------|
//! | `security.protocol`, `sasl.mechanism`, `sasl.username`, `sasl.password`        | the same                |
//! | `ssl.ca.location`, `ssl.ca.pem`, `ssl.certificate.location`, `ssl.key.location` | the same                |
//! | `enable.ssl.certificate.verification`, `ssl.endpoint.identification.algorithm` | the same                |
//! | `socket.*`, `request.timeout.ms`, `metadata.max.age.ms`, `retry.backoff.*`     | the same                |
//! | `linger.ms`, `batch.size`, `compression.*`, `max.in.flight`, `message.timeout.ms` | before the settings of those names |
//! | those of consumers, of logs and of librdkafka's own queues                     | nothing                 |
//! | any other                                                                      | librdkafka writes       |

use std::time::Duration;

use super::settings::{Settings, TRANSACTION_TIMEOUT};
use crate::hub::HubError;
use crate::kafka::{Mechanism, Options, Sasl, Tls, TlsSettings};
use crate::wire::Codec;

/// Properties, or beginnings of them, that say nothing to a client that writes.
const IDLE: &[&str] = &[
    "allow.auto.create.topics",
    "api.version.",
    "auto.",
    "batch.num.messages",
    "broker.version.fallback",
    "check.crcs",
    "client.rack",
    "connections.max.idle.ms",
    "coordinator.query.interval.ms",
    "debug",
    "delivery.report.only.error",
    "enable.auto.",
    "enable.metrics.push",
    "enable.partition.eof",
    "fetch.",
    "group.",
    "heartbeat.interval.ms",
    "isolation.level",
    "log.",
    "log_level",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.max.bytes",
    "message.send.max.retries",
    "metadata.recovery.",
    "offset.store.method",
    "partitioner",
    "partition.assignment.strategy",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queued.",
    "receive.message.max.bytes",
    "reconnect.",
    "retries",
    "session.timeout.ms",
    "socket.blocking.max.ms",
    "socket.max.fails",
    "statistics.interval.ms",
    "topic.metadata.",
];

/// What the client that writes is told.
#[derive(Debug)]
pub(super) struct Own {
    /// With what the properties change of them.
    pub(super) settings: Settings,
    pub(super) options: Options,
    pub(super) compression: (Codec, Option<i32>),
    pub(super) transaction_timeout: Duration,
}

/// Reads the settings and their properties; the inner error is a property that only librdkafka knows.
pub(super) fn own(settings: &Settings) -> Result<Result<Own, String>, HubError> {
    let mut reading = Reading::new(settings.clone());
    for (name, value) in &settings.options {
        match reading.take(name, value.trim()) {
            Ok(true) => {}
            Ok(false) => return Ok(Err(name.clone())),
            Err(expected) => {
                return Err(HubError::Fatal(format!(
                    "hub.kafka.options \"{name}\": \"{value}\" is not {expected}"
                )));
            }
        }
    }
    reading.end()
}

/// The properties as they are read, one after another.
struct Reading {
    own: Own,
    tls: TlsSettings,
    protocol: String,
    mechanism: String,
    username: String,
    password: String,
}

impl Reading {
    fn new(settings: Settings) -> Self {
        let options = Options {
            bootstrap_servers: settings.bootstrap_servers.clone(),
            client_id: settings.client_id.clone(),
            ..Options::default()
        };
        let compression = (Codec::None, None);
        let own = Own { settings, options, compression, transaction_timeout: TRANSACTION_TIMEOUT };
        Self {
            own,
            tls: TlsSettings::default(),
            protocol: "plaintext".to_owned(),
            mechanism: "GSSAPI".to_owned(),
            username: String::new(),
            password: String::new(),
        }
    }

    /// Takes a property; `false` when it is not known here, an error says what was expected.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        Ok(self.take_text(name, value)
            || self.take_security(name, value)?
            || self.take_socket(name, value)?
            || self.take_writing(name, value)?
            || IDLE.iter().any(|idle| match idle.strip_suffix('.') {
                Some(_) => name.starts_with(idle),
                None => name == *idle,
            }))
    }

    fn take_text(&mut self, name: &str, value: &str) -> bool {
        let place = match name {
            "client.id" => &mut self.own.options.client_id,
            "security.protocol" => &mut self.protocol,
            "sasl.mechanism" | "sasl.mechanisms" => &mut self.mechanism,
            "sasl.username" => &mut self.username,
            "sasl.password" => &mut self.password,
            "ssl.ca.location" => &mut self.tls.ca_location,
            "ssl.ca.pem" => &mut self.tls.ca_pem,
            "ssl.certificate.location" => &mut self.tls.certificate_location,
            "ssl.key.location" => &mut self.tls.key_location,
            "compression.codec" | "compression.type" => &mut self.own.settings.compression,
            _ => return false,
        };
        value.clone_into(place);
        true
    }

    fn take_security(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        match name {
            "enable.ssl.certificate.verification" => self.tls.verify = boolean(value)?,
            "ssl.endpoint.identification.algorithm" => {
                self.tls.verify_name = match value {
                    "https" => true,
                    "none" => false,
                    _ => return Err("https or none"),
                };
            }
            "bootstrap.servers" | "metadata.broker.list" => {
                let servers = value.split(',').map(|server| server.trim().to_owned());
                self.own.options.bootstrap_servers = servers.collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_socket(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        let options = &mut self.own.options;
        match name {
            "request.timeout.ms" | "socket.timeout.ms" => {
                options.request_timeout = milliseconds(value)?;
            }
            "socket.connection.setup.timeout.ms" => {
                // A stop waits for it.
                options.connect_timeout = milliseconds(value)?.min(options.connect_timeout);
            }
            "socket.keepalive.enable" => options.keepalive = boolean(value)?,
            "socket.nagle.disable" => options.nagle = !boolean(value)?,
            "socket.send.buffer.bytes" => options.send_buffer = number(value)?,
            "socket.receive.buffer.bytes" => options.receive_buffer = number(value)?,
            "metadata.max.age.ms" => options.metadata_max_age = milliseconds(value)?,
            "retry.backoff.ms" => options.retry_backoff.0 = milliseconds(value)?,
            "retry.backoff.max.ms" => options.retry_backoff.1 = milliseconds(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_writing(&mut self, name: &str, value: &str) -> Result<bool, &'static str> {
        let settings = &mut self.own.settings;
        match name {
            "linger.ms" | "queue.buffering.max.ms" => settings.linger = milliseconds(value)?,
            "batch.size" => settings.batch_size = number(value)?.max(1),
            "compression.level" => {
                let level: i32 = value.parse().map_err(|_error| "a number")?;
                self.own.compression.1 = (level != -1).then_some(level);
            }
            "max.in.flight" | "max.in.flight.requests.per.connection" => {
                settings.max_in_flight = u32::try_from(number(value)?).unwrap_or(u32::MAX);
            }
            "message.timeout.ms" | "delivery.timeout.ms" => {
                settings.delivery_timeout =
                    Some(milliseconds(value)?).filter(|time| !time.is_zero());
            }
            "transaction.timeout.ms" => self.own.transaction_timeout = milliseconds(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn end(mut self) -> Result<Result<Own, String>, HubError> {
        self.own.compression.0 = match self.own.settings.compression.as_str() {
            "none" => Codec::None,
            "gzip" => Codec::Gzip,
            "snappy" => Codec::Snappy,
            "lz4" => Codec::Lz4,
            "zstd" => Codec::Zstd,
            other => return Ok(Err(format!("compression {other}"))),
        };
        let (tls, sasl) = match self.protocol.to_ascii_lowercase().as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            other => return Ok(Err(format!("security.protocol {other}"))),
        };
        if tls {
            let made = Tls::new(&self.tls);
            self.own.options.tls = Some(made.map_err(|error| HubError::Fatal(error.to_string()))?);
        }
        if sasl {
            let Some(mechanism) = Mechanism::parse(&self.mechanism) else {
                return Ok(Err(format!("sasl.mechanism {}", self.mechanism)));
            };
            let (username, password) = (self.username, self.password);
            self.own.options.sasl = Some(Sasl { mechanism, username, password });
        }
        Ok(Ok(self.own))
    }
}

fn boolean(value: &str) -> Result<bool, &'static str> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err("true or false"),
    }
}

fn number(value: &str) -> Result<usize, &'static str> {
    value.parse().map_err(|_error| "a number from 0 on")
}

/// Librdkafka takes fractions for some of them.
fn milliseconds(value: &str) -> Result<Duration, &'static str> {
    let time: f64 = value.parse().map_err(|_error| "a number of milliseconds")?;
    Duration::try_from_secs_f64(time / 1000.0).map_err(|_error| "a number of milliseconds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(options: &[(&str, &str)]) -> Result<Result<Own, String>, HubError> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        own(&Settings { options: options.collect(), ..Settings::default() })
    }

    #[test]
    fn properties_come_before_settings() {
        let own = read(&[("linger.ms", "7.5"), ("compression.type", "zstd"), ("batch.size", "99")]);
        let own = own.unwrap().unwrap();
        assert_eq!(own.settings.linger, Duration::from_micros(7500));
        assert_eq!((own.compression, own.settings.batch_size), ((Codec::Zstd, None), 99));
    }

    #[test]
    fn scram_over_tls_is_known_and_kerberos_is_left_to_librdkafka() {
        let scram = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.username", "me"),
            ("sasl.password", "secret"),
        ];
        let own = read(&scram).unwrap().unwrap();
        assert!(own.options.tls.is_some());
        assert!(!format!("{:?}", own.options.sasl.unwrap()).contains("secret"));
        let kerberos = read(&[("security.protocol", "sasl_plaintext")]).unwrap().unwrap_err();
        assert_eq!(kerberos, "sasl.mechanism GSSAPI");
        assert_eq!(
            read(&[("sasl.oauthbearer.method", "oidc")]).unwrap().unwrap_err(),
            "sasl.oauthbearer.method"
        );
        assert!(read(&[("session.timeout.ms", "9"), ("fetch.min.bytes", "1")]).unwrap().is_ok());
    }

    #[test]
    fn a_value_that_cannot_be_is_told_with_its_property() {
        let error = read(&[("socket.nagle.disable", "maybe")]).unwrap_err();
        let expected = "hub.kafka.options \"socket.nagle.disable\": \"maybe\" is not true or false";
        assert_eq!(error, HubError::Fatal(expected.to_owned()));
        let missing = [("security.protocol", "ssl"), ("ssl.ca.location", "/does/not/exist")];
        assert!(read(&missing).unwrap_err().to_string().contains("\"ssl.ca.location\""));
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_a_panic(number in 0..IDLE.len(), name: String, value: String) {
            for name in [IDLE[number], &name, "linger.ms", "batch.size", "compression.level"] {
                let _any = read(&[(name, &value)]);
            }
        }
    }
}
