//! `anabranch run`: the agent as a daemon, until it is told to stop.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use super::config_watch::ConfigWatch;
use super::excerpt::has_colours;
use super::failure::{Failure, complain};
use super::greeting;
use crate::agent::{Agent, Signal};
use crate::config::{self, Config, LogConfig, LogFormat};

/// Runs the agent with the configuration at `path`; `watches`: reads it again when it changes.
#[must_use]
pub fn run(path: &Path, watches: bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(512)
        .thread_keep_alive(Duration::from_secs(2))
        .enable_all()
        .build();
    let runtime = match runtime {
        // As long as the process: who is left behind at the stop still has its clock.
        Ok(runtime) => Box::leak(Box::new(runtime)),
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // Before anything that takes a while: a SIGHUP that nobody listens to ends the process.
    let heard = {
        let _inside = runtime.enter();
        Heard::listen()
    };
    let config = match config::load_checked(path) {
        Ok((config, warnings)) => {
            start_log(&config.log);
            for warning in warnings {
                warn!("{warning}");
            }
            config
        }
        Err(error) => {
            return Failure::from(error).report();
        }
    };
    raise_open_files();
    runtime.block_on(serve(path.to_owned(), config, heard, watches))
}

/// The signals that the process listens to.
struct Heard {
    term: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
}

impl Heard {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hang_up: unix::signal(SignalKind::hangup())?,
        })
    }
}

async fn serve(
    path: PathBuf,
    config: Config,
    heard: std::io::Result<Heard>,
    watches: bool,
) -> ExitCode {
    let (send, mut signals) = mpsc::channel(4);
    let mut listener = crate::tasks::Tasks::new(mpsc::channel(1).0);
    let watch = if watches { watch_config(&path) } else { None };
    listener.spawn("signals", listen(path, send, heard, watch));
    let mut newest = None;
    let started = tokio::select! {
        started = Agent::start(config.clone()) => started,
        () = told_to_stop(&mut signals, &mut newest) => return ExitCode::SUCCESS,
    };
    let mut agent = match started {
        Ok(agent) => agent,
        Err(problem) => {
            complain(&problem.to_string());
            return ExitCode::FAILURE;
        }
    };
    greet(&config, &agent.listening());
    // Without systemd there is nobody to tell.
    sd_notify::notify(false, &[sd_notify::NotifyState::Ready]).ok();
    let mut watchdog = crate::tasks::Tasks::new(mpsc::channel(1).0);
    watchdog.spawn("watchdog", keep_watchdog_quiet());
    if let Some(config) = newest {
        agent.reload(*config).await;
    }
    let ended = agent.run(signals).await;
    sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]).ok();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Resolves when the process is told to stop, and keeps the `newest` configuration that comes meanwhile.
async fn told_to_stop(signals: &mut mpsc::Receiver<Signal>, newest: &mut Option<Box<Config>>) {
    while let Some(signal) = signals.recv().await {
        match signal {
            Signal::Stop => return,
            Signal::Reload(config) => *newest = Some(config),
        }
    }
    std::future::pending::<()>().await;
}

/// Turns the process's signals into the agent's.
async fn listen(
    path: PathBuf,
    signals: mpsc::Sender<Signal>,
    heard: std::io::Result<Heard>,
    mut watch: Option<ConfigWatch>,
) {
    let Ok(Heard { mut term, mut interrupt, mut hang_up }) = heard else {
        error!("signals cannot be received; only SIGKILL ends this process");
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = hang_up.recv() => {}
            () = changed(&mut watch) => info!("the configuration has changed"),
            _ = term.recv() => return stop(&signals).await,
            _ = interrupt.recv() => return stop(&signals).await,
        }
        let next = match config::load_checked(&path) {
            Ok((config, _)) => Signal::Reload(Box::new(config)),
            Err(problem) => {
                error!("the new configuration is refused, the old one stays: {problem}");
                continue;
            }
        };
        if signals.send(next).await.is_err() {
            return;
        }
    }
}

async fn stop(signals: &mpsc::Sender<Signal>) {
    // An agent that is gone has stopped.
    signals.send(Signal::Stop).await.ok();
}

/// Resolves when the configuration has changed, if that is watched.
async fn changed(watch: &mut Option<ConfigWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

fn watch_config(path: &Path) -> Option<ConfigWatch> {
    let watch = ConfigWatch::new(path);
    watch
        .inspect_err(|error| {
            warn!(path = %path.display(), %error, "the configuration cannot be watched; SIGHUP reads it again");
        })
        .ok()
}

/// Tells systemd twice per interval that the runtime still turns, if it wants to know.
async fn keep_watchdog_quiet() {
    let mut interval_us = 0;
    if !sd_notify::watchdog_enabled(false, &mut interval_us) {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_micros(interval_us / 2));
    loop {
        ticks.tick().await;
        sd_notify::notify(false, &[sd_notify::NotifyState::Watchdog]).ok();
    }
}

/// Files, segments and clients each need one: takes as many as the system allows, where the shell gives fewer.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(%error, "the limit of open files stays as it is");
    }
}

fn start_log(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let is_text = match config.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first one's.
    if is_text {
        let colours = has_colours(&std::io::stderr());
        builder.with_ansi(colours).with_target(false).try_init().ok();
    } else {
        builder.json().flatten_event(true).with_target(false).try_init().ok();
    }
}

/// Says what runs where and what the choice of `flush` can cost; on a terminal also what to try next.
fn greet(config: &Config, listening: &[String]) {
    info!(hub = greeting::hub(config), "started");
    for open in config::open_to_all(config) {
        info!(open, "an address that asks nothing of clients");
    }
    if std::io::stdout().is_terminal() {
        let mut out = std::io::stdout().lock();
        for line in greeting::lines(config, listening) {
            // A terminal that went away is no reason to stop.
            writeln!(out, "{line}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_the_configurations_that_come_during_the_start_the_newest_is_kept() {
        let (send, mut signals) = mpsc::channel(4);
        let mut newest = None;
        for data_dir in ["one", "two"] {
            let config = Config { data_dir: data_dir.into(), ..Config::default() };
            send.send(Signal::Reload(Box::new(config))).await.unwrap();
        }
        send.send(Signal::Stop).await.unwrap();
        told_to_stop(&mut signals, &mut newest).await;
        assert_eq!(newest.unwrap().data_dir, PathBuf::from("two"));
    }
}
