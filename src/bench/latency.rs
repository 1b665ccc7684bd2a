//! Line in a file to line in the file sink's output, at a steady rate. The time of a line is when it was due, not when
//! it was written, so a stall counts for all the lines that it held up (no coordinated omission).

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::child::{Agent, pause};
use super::figures::Figures;
use super::stop;

const LINES_PER_SECOND: u64 = 10_000;
const SECONDS: u64 = 20;
/// Lines of the first seconds are not counted: files and topics are made then.
const WARM_UP: u64 = 2 * LINES_PER_SECOND;

/// Measures.
pub(super) fn measure(folder: &Path) -> Result<Figures, String> {
    let failed = |error: std::io::Error| error.to_string();
    let (input, output) = (folder.join("latency.log"), folder.join("latency.out"));
    let mut writer = OpenOptions::new().create(true).append(true).open(&input).map_err(failed)?;
    let blocks = format!(
        "sources: {{ in: {{ topic: lines, from: {{ file: {{ include: [\"{}\"] }} }} }} }}\n\
         sinks: {{ out: {{ topics: [lines], to: {{ file: {{ path: \"{}\", codec: raw }} }} }} }}",
        input.display(),
        output.display()
    );
    let mut agent = Agent::start(folder, &blocks)?;
    let count = LINES_PER_SECOND * SECONDS;
    let begin = Instant::now();
    let reader =
        std::thread::Builder::new().spawn(move || read(&output, begin, count)).map_err(failed)?;
    for number in 0..count {
        stop::check()?;
        let wait = due(number).saturating_sub(begin.elapsed());
        if wait > Duration::from_micros(50) {
            pause(wait);
        }
        // One write(2) a line, as programs log.
        writer
            .write_all(format!("{number:010} {}\n", "x".repeat(188)).as_bytes())
            .map_err(failed)?;
    }
    let cpu = agent.cpu_seconds();
    agent.wait("the last line", |_| reader.is_finished())?;
    let histogram = reader.join().map_err(|_panic| "the reader panicked".to_owned())??;
    agent.stop()?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds fit")]
    let ms = |us: u64| us as f64 / 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "seconds fit")]
    let share = cpu / SECONDS as f64;
    Ok(vec![
        ("p50", ms(histogram.value_at_quantile(0.5)), "ms"),
        ("p99", ms(histogram.value_at_quantile(0.99)), "ms"),
        ("p99_9", ms(histogram.value_at_quantile(0.999)), "ms"),
        ("max", ms(histogram.max()), "ms"),
        ("cpu_share", share, "cores"),
    ])
}

/// When a line is due, since the beginning.
const fn due(number: u64) -> Duration {
    Duration::from_nanos(number * (1_000_000_000 / LINES_PER_SECOND))
}

/// Microseconds, three digits of them exact.
fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, 600_000_000, 3).map_err(|error| error.to_string())
}

/// Counts a line that arrived `now`, since the beginning.
fn note(histogram: &mut Histogram<u64>, number: u64, now: Duration) {
    if number >= WARM_UP {
        let late = now.saturating_sub(due(number)).as_micros();
        histogram.saturating_record(u64::try_from(late).unwrap_or(u64::MAX).max(1));
    }
}

/// Follows the output and notes for each line how long ago it was due.
fn read(output: &Path, begin: Instant, count: u64) -> Result<Histogram<u64>, String> {
    let mut histogram = histogram()?;
    let (mut file, mut rest, mut seen) = (None::<File>, Vec::new(), 0);
    let deadline = begin + Duration::from_secs(SECONDS + 60);
    while seen < count {
        stop::check()?;
        if Instant::now() > deadline {
            return Err(format!("only {seen} of {count} lines arrived"));
        }
        if file.is_none() {
            file = File::open(output).ok();
        }
        let before = rest.len();
        if let Some(file) = &mut file {
            file.take(1 << 20).read_to_end(&mut rest).map_err(|error| error.to_string())?;
        }
        if rest.len() == before {
            pause(Duration::from_micros(500));
            continue;
        }
        let now = begin.elapsed();
        let mut used = 0;
        for end in memchr::memchr_iter(b'\n', &rest) {
            let line = rest.get(used..end).unwrap_or_default();
            used = end + 1;
            seen += 1;
            let number =
                line.get(..10).and_then(|digits| str::from_utf8(digits).ok()?.parse::<u64>().ok());
            let number = number.ok_or("a line came back changed")?;
            note(&mut histogram, number, now);
        }
        rest.drain(..used);
    }
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_for_every_line_that_it_held_up() {
        let mut histogram = histogram().unwrap();
        let stalled = WARM_UP..WARM_UP + LINES_PER_SECOND;
        for number in stalled.clone() {
            note(&mut histogram, number, due(stalled.end));
        }
        assert_eq!(histogram.len(), LINES_PER_SECOND);
        let ms = |quantile: f64| histogram.value_at_quantile(quantile).div_ceil(1000);
        assert_eq!((ms(0.5), ms(0.99), ms(1.0)), (501, 991, 1001));
    }

    #[test]
    fn the_first_lines_are_not_counted() {
        let mut histogram = histogram().unwrap();
        note(&mut histogram, WARM_UP - 1, due(WARM_UP));
        assert!(histogram.is_empty());
        note(&mut histogram, WARM_UP, due(WARM_UP));
        assert_eq!(histogram.len(), 1);
    }
}
