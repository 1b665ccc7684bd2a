//! `memory` and `producer`.

use anabranch_connectors::{ByteSize, Memory};

use super::findings::Findings;
use crate::config::{Acks, Compression, Config, ProducerConfig};

/// Kafka keeps this many batches of a producer to know repeats by.
const IN_FLIGHT_MAX_IDEMPOTENT: u32 = 5;

/// What a process can do with at all, and what sources may have of it.
pub(super) fn check_memory(config: &Config, findings: &mut Findings) {
    let Some(memory) = config.memory else { return };
    let least = ByteSize(Memory::LEAST as u64);
    if memory < least {
        let problem = format!("{memory} is too little for the program");
        findings.error(&["memory"], problem, format!("write at least {least}, or auto"));
    } else if let Some(buffer) =
        config.producer.buffer_memory.filter(|buffer| buffer.0 > memory.0 / 2)
    {
        let problem = format!("{buffer} is more than half of memory ({memory})");
        findings.error(
            &["producer", "buffer_memory"],
            problem,
            "lower it, raise memory, or write auto",
        );
    }
}

pub(super) fn check(producer: &ProducerConfig, findings: &mut Findings) {
    let buffer = producer.buffer_memory.unwrap_or(ByteSize(Memory::BUFFER as u64));
    let mut error = |setting: &str, problem: String, hint: &str| {
        findings.error(&["producer", setting], problem, hint);
    };
    if producer.idempotence && producer.acks != Acks::All {
        let hint = "write acks: all, or leave idempotence out";
        error("idempotence", "needs acks: all".to_owned(), hint);
    }
    if producer.max_in_flight == 0 {
        error("max_in_flight", "is 0".to_owned(), "write at least 1");
    } else if producer.idempotence && producer.max_in_flight > IN_FLIGHT_MAX_IDEMPOTENT {
        let problem = format!("{} is more than idempotence allows", producer.max_in_flight);
        error("max_in_flight", problem, "write at most 5, or idempotence: false");
    }
    if producer.batch_size.0 == 0 {
        error("batch_size", "is 0".to_owned(), "write a size such as 1MiB");
    } else if producer.batch_size > buffer {
        let problem = format!("{} is more than buffer_memory ({buffer})", producer.batch_size);
        error("batch_size", problem, "lower it, or raise buffer_memory");
    }
    if let Some(timeout) = producer.delivery_timeout {
        if timeout.is_zero() {
            error("delivery_timeout", "is 0".to_owned(), "write a time such as 2m, or never");
        } else if producer.linger > timeout {
            let problem =
                format!("{:?} is more than delivery_timeout ({timeout:?})", producer.linger);
            error("linger", problem, "lower it; the wait for a batch counts, too");
        }
    }
    if producer.retry_backoff.is_zero() {
        error("retry_backoff", "is 0".to_owned(), "write a time such as 100ms");
    } else if producer.retry_backoff > producer.retry_backoff_max {
        let problem = format!(
            "{:?} is more than retry_backoff_max ({:?})",
            producer.retry_backoff, producer.retry_backoff_max
        );
        error("retry_backoff", problem, "lower it, or raise retry_backoff_max");
    }
    if let Some(problem) = level_fault(producer) {
        error("compression_level", problem, "write `default`, or a level that the codec has");
    }
}

fn level_fault(producer: &ProducerConfig) -> Option<String> {
    let level = producer.compression_level?;
    let (codec, levels) = match producer.compression {
        Compression::None => return Some("there is no compression".to_owned()),
        Compression::Snappy => return Some("snappy has no levels".to_owned()),
        Compression::Gzip => ("gzip", 1..=9),
        Compression::Lz4 => ("lz4", 1..=12),
        Compression::Zstd => ("zstd", -7..=22),
    };
    let (first, last) = (levels.start(), levels.end());
    (!levels.contains(&level))
        .then(|| format!("{level} is not a level of {codec} ({first} to {last})"))
}
