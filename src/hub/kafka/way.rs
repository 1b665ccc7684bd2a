//! Whether the brokers can be reached, and what they said last, in words for a person.

use super::properties::own;
use super::settings::Settings;
use crate::hub::HubError;
use crate::kafka;

/// Tries once to reach the brokers, with TLS and login. What only librdkafka can do is not tried.
///
/// # Errors
/// [`HubError::NotNow`] with each broker and why it does not let us in, [`HubError::Fatal`] when a setting cannot be.
pub fn reach(settings: &Settings) -> Result<(), HubError> {
    let Ok(own) = own(settings)? else { return Ok(()) };
    let Err(errors) = kafka::reach(&own.options) else { return Ok(()) };
    let told: Vec<String> = errors
        .iter()
        .map(|error| match error.remedy(&own.options) {
            "" => error.to_string(),
            remedy => format!("{error}; {remedy}"),
        })
        .collect();
    let servers = own.options.bootstrap_servers.join(",");
    Err(HubError::NotNow(format!("kafka at {servers} cannot be reached: {}", told.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(server: &str, options: &[(&str, &str)]) -> String {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let bootstrap_servers = vec![server.to_owned()];
        let settings =
            Settings { bootstrap_servers, options: options.collect(), ..Settings::default() };
        reach(&settings).unwrap_err().to_string()
    }

    /// A port where nobody listens.
    fn free() -> String {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().to_string()
    }

    #[test]
    fn a_broker_that_is_not_there_is_told_with_its_address_and_why() {
        let address = free();
        let told = refusal(&address, &[]);
        assert!(told.contains(&format!("broker {address}: ")), "{told}");
        assert!(
            told.contains("refused") && told.contains("is a broker listening there?"),
            "{told}"
        );
        let told = refusal("no-such-host.invalid:9092", &[]);
        assert!(told.contains("broker no-such-host.invalid:9092: "), "{told}");
        assert!(told.contains("is the name right?"), "{told}");
    }

    #[test]
    fn one_that_hangs_up_makes_us_ask_for_tls() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for one in socket.incoming().take(1) {
                drop(one);
            }
        });
        let told = refusal(&address, &[]);
        assert!(told.contains("set security.protocol"), "{told}");
    }
}
