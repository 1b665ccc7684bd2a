//! What one listener asks of those who connect: an address in a list, a proxy's header, TLS, passwords, or nothing.

use std::io;
use std::sync::Arc;

use anabranch_connectors::shared::stream::allow::Network;
use anabranch_connectors::shared::stream::{Stream, Terms};
use parking_lot::RwLock;

use crate::auth::Mechanism;
use crate::auth::tls::{Tls, TlsConfig};
use crate::auth::users::{UserSettings, Users};

/// What is asked; certificates, users and the list of addresses are replaced while it is in use, what is asked stays.
#[derive(Debug, Default)]
pub(crate) struct Security {
    /// What is asked of every connection of whatever listener.
    pub(super) terms: Arc<Terms>,
    tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
}

/// What a listener's block says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub tls: Option<&'a TlsConfig>,
    pub sasl: Option<UserSettings<'a>>,
    pub allow: &'a [Network],
    pub proxy_protocol: bool,
}

/// Who may log in, and how.
#[derive(Debug)]
pub(crate) struct Sasl {
    mechanisms: RwLock<Vec<Mechanism>>,
    pub(super) users: Arc<Users>,
}

impl Sasl {
    /// What clients may choose from.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        self.mechanisms.read().clone()
    }
}

impl Security {
    /// Reads certificates and users; takes milliseconds for each user, so not on the runtime's threads.
    ///
    /// # Errors
    /// The setting inside of the listener's block, what is wrong with it, and what to do.
    pub(crate) fn load(asked: Asked<'_>) -> Result<Self, String> {
        let Asked { tls, sasl, allow, proxy_protocol } = asked;
        let tls = tls.map(Tls::load).transpose().map_err(|refused| format!("tls.{refused}"))?;
        let sasl = sasl.map(|settings| {
            let users = Users::load(settings).map_err(|refused| format!("sasl.{refused}"))?;
            let mechanisms = RwLock::new(settings.mechanisms.to_vec());
            Ok::<_, String>(Sasl { mechanisms, users: Arc::new(users) })
        });
        let terms = Terms::new(tls.as_ref().map(|tls| Arc::clone(tls.shared())));
        let terms = Arc::new(terms.of_proxies(proxy_protocol).only(allow));
        Ok(Self { terms, tls, sasl: sasl.transpose()? })
    }

    /// Reads them again, for those who connect from now on; what is not asked for is left alone, and so is whether a proxy
    /// is to speak first. Takes as long as [`Security::load`].
    ///
    /// # Errors
    /// As [`Security::load`]; what cannot be read stays as it was.
    pub(crate) fn reload(&self, asked: Asked<'_>) -> Result<(), String> {
        if let (Some(loaded), Some(config)) = (&self.tls, asked.tls) {
            loaded.reload(config).map_err(|refused| format!("tls.{refused}"))?;
        }
        if let (Some(loaded), Some(settings)) = (&self.sasl, asked.sasl) {
            loaded.users.reload(settings).map_err(|refused| format!("sasl.{refused}"))?;
            let mut mechanisms = loaded.mechanisms.write();
            *mechanisms = settings.mechanisms.to_vec();
        }
        self.terms.set_allowed(asked.allow);
        Ok(())
    }

    /// Who has shown a certificate on a connection; `None` for who has shown none.
    ///
    /// # Errors
    /// One that names nobody.
    pub(super) fn principal(&self, stream: &Stream) -> io::Result<Option<String>> {
        match (&self.tls, stream) {
            (Some(tls), Stream::Tls(stream)) => tls.principal(stream.get_ref().1),
            (_, Stream::Tcp(_) | Stream::Unix(_) | Stream::Tls(_)) => Ok(None),
        }
    }
}
