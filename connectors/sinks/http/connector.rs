//! What the program asks of an `http` sink before it runs.

use async_trait::async_trait;

use super::config::SinkConfig;
use super::sink::{HttpSink, probe};
use crate::Sink;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Alone, Card, Described, Doubt, Reached, SinkSettings, Topics};
use crate::shared::http::ALSO;
use crate::shared::http::client::Tls;
use crate::shared::template::{self};

impl Described for SinkConfig {
    const CARD: Card = Card { also: ALSO, settings: &["url"], guarantee: "at least once" };
}

#[async_trait]
impl SinkSettings for SinkConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Sink>, BuildError> {
        Ok(Box::new(HttpSink::new(self.clone(), around)?))
    }

    async fn probe(&self) -> Result<String, String> {
        probe(self).await
    }

    fn doubts(&self) -> Vec<Doubt> {
        let mut doubts: Vec<Doubt> = template::doubt("url", &self.url).into_iter().collect();
        if self.url.starts_with("http://") && self.tls != Tls::default() {
            doubts.push(Tls::unused());
        }
        doubts
    }

    fn reaches(&self) -> Vec<Reached> {
        Reached::of("url", std::slice::from_ref(&self.url))
    }

    fn side_by_side(&self, _topics: Topics) -> Result<(), Alone> {
        Ok(())
    }
}
