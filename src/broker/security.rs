//! What one listener asks of those who connect: TLS, passwords, both or neither.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::auth::Mechanism;
use crate::auth::tls::{Tls, TlsConfig};
use crate::auth::users::{UserSettings, Users};

/// What is asked; certificates and users are replaced while it is in use, what is asked stays.
#[derive(Debug, Default)]
pub(crate) struct Security {
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
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
    pub(crate) fn load(
        tls: Option<&TlsConfig>,
        sasl: Option<UserSettings<'_>>,
    ) -> Result<Self, String> {
        let tls = tls.map(Tls::load).transpose().map_err(|refused| format!("tls.{refused}"))?;
        let sasl = sasl.map(|settings| {
            let users = Users::load(settings).map_err(|refused| format!("sasl.{refused}"))?;
            let mechanisms = RwLock::new(settings.mechanisms.to_vec());
            Ok::<_, String>(Sasl { mechanisms, users: Arc::new(users) })
        });
        Ok(Self { tls, sasl: sasl.transpose()? })
    }

    /// Reads them again, for those who connect from now on; what is not asked for is left alone. Takes as long as
    /// [`Security::load`].
    ///
    /// # Errors
    /// As [`Security::load`]; what cannot be read stays as it was.
    pub(crate) fn reload(
        &self,
        tls: Option<&TlsConfig>,
        sasl: Option<UserSettings<'_>>,
    ) -> Result<(), String> {
        if let (Some(loaded), Some(config)) = (&self.tls, tls) {
            loaded.reload(config).map_err(|refused| format!("tls.{refused}"))?;
        }
        if let (Some(loaded), Some(settings)) = (&self.sasl, sasl) {
            loaded.users.reload(settings).map_err(|refused| format!("sasl.{refused}"))?;
            let mut mechanisms = loaded.mechanisms.write();
            *mechanisms = settings.mechanisms.to_vec();
        }
        Ok(())
    }
}
