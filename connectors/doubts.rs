//! Settings of sinks that can work and are probably not what was meant.

use reqwest::Url;

use crate::SinkConfig;
use crate::shared::http::Tls;
use crate::shared::shown;
use crate::sinks::{elasticsearch, file, http};

/// Names of fields that templates of other programs have, too.
const FIELDS: [&str; 5] = ["topic", "partition", "date", "host", "key"];
/// The port that search clusters listen on, unlike the web.
const SEARCH_PORT: u16 = 9200;

/// A setting that is probably not what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The setting, as it stands inside the connector's block.
    pub setting: &'static str,
    /// What is doubtful about it.
    pub problem: String,
    /// What to write.
    pub hint: String,
}

/// Those of a sink.
pub(crate) fn of_sink(config: &SinkConfig) -> Vec<Doubt> {
    match config {
        SinkConfig::Elasticsearch(config) => of_search(config),
        SinkConfig::File(config) => of_file(config),
        SinkConfig::Http(config) => of_http(config),
        SinkConfig::Stdout(_) => Vec::new(),
    }
}

fn of_file(config: &file::SinkConfig) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = of_template("path", &config.path).into_iter().collect();
    let suffix = [".gz", ".zst"].into_iter().find(|suffix| config.path.ends_with(suffix));
    let (compression, written) = match config.compression {
        file::Compression::None => ("none", None),
        file::Compression::Gzip => ("gzip", Some(".gz")),
        file::Compression::Zstd => ("zstd", Some(".zst")),
    };
    if let Some(suffix) = suffix.filter(|suffix| written != Some(suffix)) {
        let problem = format!("ends in {suffix}, and compression is {compression}");
        let meant = if suffix == ".gz" { "gzip" } else { "zstd" };
        let hint = format!("set compression: {meant}, or leave {suffix} out");
        doubts.push(Doubt { setting: "path", problem, hint });
    }
    doubts
}

fn of_http(config: &http::SinkConfig) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = of_template("url", &config.url).into_iter().collect();
    if config.url.starts_with("http://") && config.tls != Tls::default() {
        doubts.push(unused_tls());
    }
    doubts
}

fn of_search(config: &elasticsearch::SinkConfig) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = of_template("index", &config.index).into_iter().collect();
    let addresses = config.endpoints.iter().filter_map(|address| Url::parse(address).ok());
    for (url, address) in addresses.zip(&config.endpoints) {
        let shown = shown::address(address);
        if url.scheme() == "http"
            && url.port().is_none()
            && !address.trim_end_matches('/').ends_with(":80")
        {
            let problem = format!("has \"{shown}\" without a port, which is port 80");
            let host = url.host_str().unwrap_or_default();
            let hint = format!("write http://{host}:{SEARCH_PORT}, or :80 where that is meant");
            doubts.push(Doubt { setting: "endpoints", problem, hint });
        }
        if let Some(last) = url.path().rsplit('/').find(|part| part.starts_with('_')) {
            let problem = format!("has \"{shown}\", which ends in a request (`{last}`)");
            let hint = "write the address alone; requests are the sink's".to_owned();
            doubts.push(Doubt { setting: "endpoints", problem, hint });
        }
    }
    let plain = config.endpoints.iter().all(|address| address.starts_with("http://"));
    if plain && config.tls != Tls::default() {
        doubts.push(unused_tls());
    }
    doubts
}

fn unused_tls() -> Doubt {
    let problem = "is not used for http://".to_owned();
    Doubt { setting: "tls", problem, hint: "write https://, or remove the block".to_owned() }
}

/// Ways to write a field that other programs have.
fn of_template(setting: &'static str, text: &str) -> Option<Doubt> {
    let doubt = |problem, hint| Some(Doubt { setting, problem, hint });
    if let Some((_, inner)) = text.split_once("{{")
        && let Some((field, _)) = inner.split_once("}}")
        && let name = field.trim().trim_start_matches('.')
        && FIELDS.iter().any(|known| name == *known || name.starts_with("header."))
    {
        let problem = format!("has `{{{{{field}}}}}`, which stands for the text {{{field}}}");
        return doubt(problem, format!("write {{{name}}} with single braces"));
    }
    let outside = outside_of_braces(text);
    let percent = outside.split('%').skip(1).find_map(|rest| rest.chars().next());
    if let Some(letter) =
        percent.filter(|letter| matches!(letter, 'Y' | 'm' | 'd' | 'H' | 'y' | 'F'))
    {
        let problem = format!("has `%{letter}` outside of braces, which stands for itself");
        return doubt(problem, "write {date:%Y-%m-%d}".to_owned());
    }
    None
}

fn outside_of_braces(text: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = String::new();
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(letter),
            _ => {}
        }
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_as_other_programs_write_them_are_doubted_and_ours_are_not() {
        for (text, doubted) in [
            ("logs-{topic}-{date:%Y.%m.%d}", false),
            ("a{{b}}/{key|100%}", false),
            ("100%/x", false),
            ("{{topic}}", true),
            ("{{ .host }}/x", true),
            ("logs-{{header.app}}", true),
            ("out/%Y-%m-%d.log", true),
        ] {
            assert_eq!(of_template("path", text).is_some(), doubted, "{text}");
        }
    }
}
