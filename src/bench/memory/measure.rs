//! The agent under test, the crowd before it, and what is counted of both.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::addresses::Addresses;
use super::crowd::{self, Crowd, Sizes, Told};
use super::probes::{self, Waits};
use crate::bench::child::{Agent, free_port};
use crate::bench::figures::Figures;
use crate::bench::{load, stop};

/// Memory of the agent under test for the whole crowd, MiB.
const MEMORY_MIB: u64 = 256;
/// The same for a part of it.
const MEMORY_MIB_LEAST: u64 = 48;
/// Longest time for the bodies to be taken, all of them.
const PATIENCE: Duration = Duration::from_secs(180);
/// Lines of a file of the many.
const LINES: u64 = 5;

/// Measures with one `scale`th of the crowd, and a backlog of so many bytes.
pub(in crate::bench) fn measure(
    folder: &Path,
    scale: u64,
    backlog: u64,
) -> Result<Figures, String> {
    let sizes = Sizes::of(scale);
    make_files(folder, sizes.files, backlog)?;
    let addresses = Addresses::choose()?;
    let failed = |error: std::io::Error| error.to_string();
    let runtime = crowds_runtime().map_err(failed)?;
    let slow = runtime.block_on(crowd::slow_receiver()).map_err(failed)?;
    let memory = (MEMORY_MIB / scale).max(MEMORY_MIB_LEAST);
    let blocks = blocks(folder, &addresses, &slow.address, memory)?;
    let mut agent = Agent::start_failing(folder, &blocks)?;
    agent.wait("the listeners", |_| {
        [&addresses.http, &addresses.syslog, &addresses.hub]
            .into_iter()
            .all(|address| std::net::TcpStream::connect(address).is_ok())
    })?;
    let idle = agent.memory_mib("VmRSS");
    let begin = Instant::now();
    let told = Arc::new(Told::default());
    let crowd = Crowd { addresses: addresses.clone(), sizes, told: Arc::clone(&told) };
    // Those who want little are on a thread of their own, so that it is not the crowd's work here that holds them up.
    let alone = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let crowding = runtime.spawn(async move { tokio::time::timeout(PATIENCE, crowd.run()).await });
    let (waits, crowded) = alone.block_on(probes::beside((folder, &addresses), &told, crowding))?;
    let crowded = crowded.map_err(|error| format!("the crowd: {error}"))?;
    crowded.map_err(|_elapsed| format!("the bodies were not taken within {PATIENCE:?}"))?;
    let crowded = begin.elapsed();
    let files = sizes.files * LINES;
    agent.wait("the files", |agent| agent.metric_of(STORED, "source=\"files\"") >= files)?;
    let stored = agent.metric_of(STORED, "source=\"web\"");
    let counted = Counted { stored, files: agent.metric_of(STORED, "source=\"files\""), sizes };
    let closed = agent.metric_of("anabranch_connections_closed_total", "reason=\"memory\"");
    let peak = agent.memory_mib("VmHWM");
    drop((slow, runtime));
    agent.stop()?;
    Ok(figures(&told, &waits, &counted, (idle, peak, crowded, closed)))
}

/// A crowd is on machines of its own: here it gets what the agent and those who want little leave of this one.
fn crowds_runtime() -> std::io::Result<Runtime> {
    let yielding = || {
        // Where it may not, it takes its share.
        rustix::process::nice(19).ok();
    };
    Builder::new_multi_thread().on_thread_start(yielding).enable_all().build()
}

const STORED: &str = "anabranch_source_stored_records_total";

/// What is stored in the end.
struct Counted {
    stored: u64,
    files: u64,
    sizes: Sizes,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(
    told: &Told,
    waits: &Waits,
    counted: &Counted,
    (idle, peak, crowded, closed): (f64, f64, Duration, u64),
) -> Figures {
    let accepted = told.lines();
    let lost = accepted.saturating_sub(counted.stored)
        + (counted.sizes.files * LINES).saturating_sub(counted.files);
    let seconds = |wait: Duration| wait.as_secs_f64();
    vec![
        ("peak_mib", peak, "MiB"),
        ("idle_mib", idle, "MiB"),
        ("crowd_s", seconds(crowded), "s"),
        ("wait_http_s", seconds(waits.http), "s"),
        ("wait_syslog_s", seconds(waits.syslog), "s"),
        ("wait_file_s", seconds(waits.file), "s"),
        ("wait_kafka_s", seconds(waits.kafka), "s"),
        ("bodies_taken", told.taken() as f64, ""),
        ("refused_503", told.refused() as f64, ""),
        ("refused_408", told.slow() as f64, ""),
        ("without_answer", told.unanswered() as f64, ""),
        ("closed_for_memory", closed as f64, ""),
        ("lost", lost as f64, "records"),
        ("too_many", counted.stored.saturating_sub(accepted) as f64, "records"),
    ]
}

fn blocks(folder: &Path, addresses: &Addresses, slow: &str, memory: u64) -> Result<String, String> {
    let (folder, away) = (folder.display(), free_port()?);
    let Addresses { http, syslog, hub } = addresses;
    Ok(format!(
        "memory: {memory}MiB\n\
         hub: {{ embedded: {{ listen: \"{hub}\", max_connections: 8192 }} }}\n\
         sources:\n  \
           files: {{ topic: files, from: {{ file: {{ include: [\"{folder}/many/*.log\"] }} }} }}\n  \
           backlog: {{ topic: backlog, from: {{ file: {{ include: [\"{folder}/backlog.log\"] }} }} }}\n  \
           probe: {{ topic: probe, from: {{ file: {{ include: [\"{folder}/probe.log\"] }} }} }}\n  \
           web: {{ topic: web, from: {{ http: {{ listen: \"{http}\", max_connections: 8192 }} }} }}\n  \
           net: {{ topic: net, from: {{ syslog: {{ listen: [\"tcp://{syslog}\"], max_connections: 8192 }} }} }}\n\
         sinks:\n  \
           away: {{ topics: [backlog], to: {{ http: {{ url: \"http://127.0.0.1:{away}/\" }} }} }}\n  \
           slow: {{ topics: [backlog], to: {{ http: {{ url: \"http://{slow}/\" }} }} }}\n  \
           out: {{ topics: [net, probe], to: {{ file: {{ path: \"{folder}/out.txt\", codec: raw }} }} }}\n"
    ))
}

fn make_files(folder: &Path, files: u64, backlog: u64) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let many = folder.join("many");
    std::fs::create_dir_all(&many).map_err(failed)?;
    for number in 0..files {
        stop::check()?;
        let path = many.join(format!("a-service-with-some-name-{number:06}.log"));
        let mut file = std::fs::File::create(path).map_err(failed)?;
        for line in 0..LINES {
            writeln!(file, "line {line} of the file with the number {number}").map_err(failed)?;
        }
    }
    load::file(&folder.join("backlog.log"), backlog / 200, 200)
}
