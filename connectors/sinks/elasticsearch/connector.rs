//! What the program asks of an `elasticsearch` sink before it runs.

use async_trait::async_trait;
use elasticsearch::http::Url;

use super::call::probe;
use super::config::SinkConfig;
use super::sink::ElasticsearchSink;
use crate::Sink;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Alone, Card, Described, Doubt, Reached, SinkSettings, Topics};
use crate::shared::http::client::Tls;
use crate::shared::shown;
use crate::shared::template::{self};

/// The port that search clusters listen on, unlike the web.
const SEARCH_PORT: u16 = 9200;

impl Described for SinkConfig {
    const CARD: Card = Card {
        also: &["opensearch", "elastic", "es"],
        settings: &["endpoints", "endpoint", "hosts", "index"],
        guarantee: "exactly once in an index",
    };
}

#[async_trait]
impl SinkSettings for SinkConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Sink>, BuildError> {
        Ok(Box::new(ElasticsearchSink::new(self.clone(), around)?))
    }

    async fn probe(&self) -> Result<String, String> {
        probe(self).await
    }

    fn doubts(&self) -> Vec<Doubt> {
        let mut doubts: Vec<Doubt> = template::doubt("index", &self.index).into_iter().collect();
        let addresses = self.endpoints.iter().filter_map(|address| Url::parse(address).ok());
        for (url, address) in addresses.zip(&self.endpoints) {
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
        let plain = self.endpoints.iter().all(|address| address.starts_with("http://"));
        if plain && self.tls != Tls::default() {
            doubts.push(Tls::unused());
        }
        doubts
    }

    fn reaches(&self) -> Vec<Reached> {
        Reached::of("endpoints", &self.endpoints)
    }

    fn side_by_side(&self, _topics: Topics) -> Result<(), Alone> {
        Ok(())
    }
}
