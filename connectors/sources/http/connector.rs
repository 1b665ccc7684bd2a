//! What the program asks of an `http` source before it runs.

use super::config::SourceConfig;
use super::serve::HttpSource;
use crate::Source;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Card, Described, Doubt, SourceSettings};
use crate::shared::http::ALSO;
use crate::shared::stream::activation;
use crate::shared::stream::terms::doubt;
use crate::shared::stream::tls::TlsConfig;

impl Described for SourceConfig {
    const CARD: Card = Card { also: ALSO, settings: &[], guarantee: "at least once" };
}

impl SourceSettings for SourceConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(HttpSource::new(self.clone(), around)?))
    }

    fn faults(&self) -> Vec<BuildError> {
        self.tls.as_ref().map(TlsConfig::faults).unwrap_or_default()
    }

    fn doubts(&self) -> Vec<Doubt> {
        doubt(self.proxy_protocol, &self.allow).into_iter().collect()
    }

    fn try_it(&self) -> Option<String> {
        let at = Some(&self.listen).filter(|at| activation::name(at).is_none())?;
        let at = match &self.tls {
            None => format!("http://{at}/"),
            Some(tls) => format!("--cacert {} https://{at}/", tls.certificate.display()),
        };
        Some(format!(
            "curl -H 'Content-Type: application/json' -d '{{\"message\":\"hello\"}}' {at}"
        ))
    }

    fn listens(&self) -> Vec<String> {
        match activation::name(&self.listen) {
            Some(_) => vec![self.listen.clone()],
            None => vec![format!("tcp://{}", self.listen)],
        }
    }
}
