//! The command `check`: judges a configuration, and with `--connect` what it is connected to.

use std::io::{IsTerminal, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anabranch_connectors::contract::settings::Doubt;
use anabranch_connectors::shared::stream::activation;
use clap::Args;

use super::config_args::ConfigArgs;
use super::excerpt::{has_colours, print_excerpt, print_line};
use super::failure::{Done, Failure};
use super::table::Table;
use crate::config::{self, Config, HubConfig};
use crate::hub::Hub;
use crate::hub::kafka::{Kafka, reach};
use crate::log::Folder;

/// How long a far end may take to answer.
const PROBE_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also try the sinks, the hub and the ports
    #[arg(long)]
    connect: bool,
}

pub(super) async fn check(args: CheckArgs, out: &mut dyn Write) -> Done {
    let path = args.config.path()?;
    let (config, warnings) = config::load_checked(&path)?;
    let colours = has_colours(&std::io::stdout());
    for warning in &warnings {
        print_line(out, warning.level, &warning.to_string(), colours)?;
        if let Some(place) = warning.place.as_ref().filter(|_| std::io::stdout().is_terminal()) {
            print_excerpt(place, &warning.setting, out, colours)?;
        }
    }
    for (name, source) in &config.sources {
        for Doubt { setting, problem, hint } in source.from.misses() {
            let kind = source.from.kind();
            writeln!(out, "warning: sources.{name}.from.{kind}.{setting}: {problem}; {hint}")?;
        }
    }
    summary(&config, out)?;
    for open in config::open_to_all(&config) {
        writeln!(out, "note: {open}")?;
    }
    if args.connect {
        connect(&config, out).await?;
    }
    Ok(writeln!(out, "{} is valid", path.display())?)
}

fn hub_line(config: &Config) -> String {
    match &config.hub {
        HubConfig::Embedded(_) => format!("embedded, in {}", config.data_dir.display()),
        HubConfig::Kafka(kafka) => format!("kafka at {}", kafka.bootstrap_servers.join(",")),
    }
}

/// Where clients of Kafka's protocol are answered, and with which security.
fn hub_listeners(config: &Config) -> Vec<(&'static str, &str)> {
    let HubConfig::Embedded(embedded) = &config.hub else { return Vec::new() };
    let plain = embedded.listen.address().map(|address| ("PLAINTEXT", address));
    let others = embedded.listeners.iter();
    let others = others.map(|one| (one.security_protocol(), one.address.as_str()));
    plain.into_iter().chain(others).collect()
}

/// What runs where.
fn summary(config: &Config, out: &mut dyn Write) -> Done {
    let mut table = Table::new(&["PART", "KIND", "NAME", "TOPICS", "WHERE"]);
    let row = |part: &str, kind: &str, name: &str, topics: &str, at: String| {
        [part, kind, name, topics, &at].map(str::to_owned).to_vec()
    };
    for (name, source) in &config.sources {
        let at = source.from.place();
        table.row(row("source", source.from.kind(), name, &source.topic, at));
    }
    let hub = match config.hub {
        HubConfig::Embedded(_) => "embedded",
        HubConfig::Kafka(_) => "kafka",
    };
    table.row(row("hub", hub, "", "", hub_line(config)));
    for (kind, address) in hub_listeners(config) {
        table.row(row("hub", kind, "", "", address.to_owned()));
    }
    for (name, sink) in &config.sinks {
        let topics = sink.topics.join(" ");
        let at = sink.topics.first().and_then(|topic| sink.to.writes(topic));
        let at = at.map_or_else(String::new, |file| file.template);
        table.row(row("sink", sink.to.kind(), name, &topics, at));
    }
    if let Some(listen) = &config.admin.listen {
        table.row(row("admin", "http", "", "", listen.clone()));
    }
    Ok(table.print(out)?)
}

/// Tries everything; says all that does not work.
async fn connect(config: &Config, out: &mut dyn Write) -> Done {
    let mut problems = Vec::new();
    let mut note = |what: String, found: Result<String, String>, out: &mut dyn Write| -> Done {
        match found {
            Ok(found) => writeln!(out, "ok: {what}: {found}")?,
            Err(problem) => problems.push(format!("{what}: {problem}")),
        }
        Ok(())
    };
    note("hub".to_owned(), try_hub(config).await, out)?;
    for (name, sink) in &config.sinks {
        let late = |_elapsed| Err(format!("no answer within {PROBE_MAX:?}"));
        let found = tokio::time::timeout(PROBE_MAX, sink.to.probe()).await.unwrap_or_else(late);
        note(format!("sinks.{name}"), found, out)?;
    }
    for (name, source) in &config.sources {
        for address in source.from.listens() {
            note(format!("sources.{name}"), try_listen(&address), out)?;
        }
    }
    if let HubConfig::Embedded(embedded) = &config.hub {
        for (index, listener) in embedded.listeners.iter().enumerate() {
            let found = try_listen(&listener.address);
            note(format!("hub.embedded.listeners[{index}]"), found, out)?;
        }
        if let Some(address) = embedded.listen.address() {
            let what = "hub.embedded.listen".to_owned();
            match try_listen(address) {
                Err(problem) if !embedded.listen.is_explicit() => {
                    writeln!(out, "warning: {what}: {problem}; the agent runs without it")?;
                }
                found => note(what, found, out)?,
            }
        }
    }
    if let Some(listen) = &config.admin.listen {
        note("admin.listen".to_owned(), try_listen(listen), out)?;
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::failed(problems.join("\n"))) }
}

async fn try_hub(config: &Config) -> Result<String, String> {
    match &config.hub {
        HubConfig::Embedded(_) => try_folder(&config.data_dir),
        HubConfig::Kafka(kafka) => {
            let mut settings = crate::agent::kafka_settings(config, kafka);
            settings.transactional = false;
            settings.positions_topic = String::new();
            let connected = tokio::task::spawn_blocking(move || {
                reach(&settings)?;
                Kafka::connect(settings)
            })
            .await;
            let hub = connected.map_err(|error| error.to_string())?;
            let hub = hub.map_err(|error| error.to_string())?;
            let topics = tokio::time::timeout(PROBE_MAX, hub.topics()).await;
            hub.close().await;
            match topics {
                Ok(Ok(topics)) => Ok(format!("{}, {} topics", hub_line(config), topics.len())),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_elapsed) => Err(format!("{} does not answer", hub_line(config))),
            }
        }
    }
}

/// Whether the data folder, or the nearest one above it that is there, can be written.
fn try_folder(folder: &Path) -> Result<String, String> {
    if Folder::is_held(folder) {
        let (shown, holder) = (folder.display(), Folder::holder(folder));
        return Err(format!("{shown} is in use by {holder}; one data folder belongs to one agent"));
    }
    let whole = std::path::absolute(folder).unwrap_or_else(|_unknown| folder.to_owned());
    let there = whole.ancestors().find(|path| path.exists()).unwrap_or(&whole);
    if !there.is_dir() {
        return Err(format!("{} is not a folder", there.display()));
    }
    let probe = there.join(format!(".anabranch-check-{}", std::process::id()));
    let written = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Ok(format!("{} can be written", folder.display())),
        Err(error) => Err(format!("{} cannot be written: {error}", there.display())),
    }
}

/// Listens for a moment.
fn try_listen(address: &str) -> Result<String, String> {
    if let Some(path) = address.strip_prefix("unix") {
        let path = path.trim_start_matches("gram").trim_start_matches(':').trim_start_matches("//");
        let folder = Path::new(path).parent().unwrap_or_else(|| Path::new("/"));
        return match folder.is_dir() {
            true => Ok(format!("{address} can be made")),
            false => Err(format!("{}: no such folder", folder.display())),
        };
    }
    if activation::name(address).is_some() {
        return Ok(format!("{address} is opened by systemd when it starts the agent"));
    }
    let (scheme, at) = address.split_once("://").unwrap_or(("tcp", address));
    let bound = match scheme {
        "udp" => UdpSocket::bind(at).map(drop),
        _ => TcpListener::bind(at).map(drop),
    };
    match bound {
        Ok(()) => Ok(format!("{address} is free")),
        Err(error) => Err(format!("cannot listen on {address}: {error}")),
    }
}
