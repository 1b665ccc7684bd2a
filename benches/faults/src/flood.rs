//! Log lines that come again and again though nothing has changed.

use std::collections::BTreeMap;

use serde_json::Value;

/// Most lines in a minute for a part in one state.
pub const MOST: usize = 10;

const MINUTE_MS: i64 = 60_000;

/// What names a part in a log line, beside the message.
const PARTS: [&str; 8] =
    ["source", "sink", "group", "topic", "partition", "path", "listener", "listen"];

/// Most lines of one part with one message within a minute of the agent's own life; with an example. A reload has
/// every part say once that it begins, and so has a rotation: so many `events` of what only informs are left out.
pub fn most(log: &str, events: usize) -> (usize, String) {
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in log.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let Some(at) = line.get("timestamp").and_then(Value::as_str).and_then(milliseconds) else {
            continue;
        };
        times.entry(part_and_message(&line)).or_default().push(at);
    }
    let most = times.iter().map(|(name, times)| {
        let expected = if name.starts_with("\"INFO\"") { events } else { 0 };
        (in_a_minute(times).saturating_sub(expected), name.clone())
    });
    most.max().unwrap_or_default()
}

fn part_and_message(line: &Value) -> String {
    let field = |name: &str| line.get(name).map(Value::to_string).unwrap_or_default();
    let parts = PARTS.iter().map(|name| field(name)).filter(|value| !value.is_empty());
    format!("{} {} {}", field("level"), field("message"), parts.collect::<Vec<_>>().join(" "))
}

fn in_a_minute(times: &[i64]) -> usize {
    let near =
        |from: &i64| times.iter().filter(|at| (0..MINUTE_MS).contains(&(**at - from))).count();
    times.iter().map(near).max().unwrap_or(0)
}

/// Milliseconds of `2026-11-28T16:02:00.210875Z`, from some day on; only differences count.
fn milliseconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.trim_end_matches('Z').split(':');
    let (hour, minute) = (time.next()?.parse::<i64>().ok()?, time.next()?.parse::<i64>().ok()?);
    let second = time.next()?.get(..6)?.replace('.', "").parse::<i64>().ok()?;
    let days = (year * 12 + month) * 31 + day;
    Some(((days * 24 + hour) * 60 + minute) * MINUTE_MS + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_and_again_by_one_part_is_a_flood() {
        let line = |second: usize, sink: &str| {
            format!(
                r#"{{"timestamp":"2026-11-28T16:02:{second:02}.210875Z","level":"WARN","message":"away","sink":"{sink}"}}"#
            )
        };
        let log = |sinks: &[&str]| {
            let lines = (0..40).map(|second| line(second, sinks[second % sinks.len()]));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(most(&log(&["a"]), 3).0, 40);
        assert_eq!(most(&log(&["a", "b"]), 3).0, 20);
        assert_eq!(most("no JSON", 0).0, 0);
    }
}
