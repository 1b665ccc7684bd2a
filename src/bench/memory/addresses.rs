//! Where the agent under test is reached.

use crate::bench::child::free_port;

/// Addresses of the agent under test.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) http: String,
    pub(super) syslog: String,
    pub(super) hub: String,
}

impl Addresses {
    pub(super) fn choose() -> Result<Self, String> {
        let one = || Ok::<_, String>(format!("127.0.0.1:{}", free_port()?));
        Ok(Self { http: one()?, syslog: one()?, hub: one()? })
    }
}
