//! What an address that is listened on, or connected to, says.

use anabranch_connectors::shared::stream::activation;

/// Whether one can listen there: `host:port`, or `systemd:NAME`.
pub(super) fn is_address(text: &str) -> bool {
    is_host_port(text) || activation::name(text).is_some()
}

/// Whether `text` is a host, a colon and a port.
pub(super) fn is_host_port(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| {
        let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && !host.contains(['/', ' ']) && bare && port.parse::<u16>().is_ok()
    })
}

/// Whether only this machine reaches the address.
pub(super) fn is_loopback(address: &str) -> bool {
    let host = host(address);
    let ip = host.parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Whether the address stands for all of the machine's.
pub(super) fn is_everywhere(address: &str) -> bool {
    host(address).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_what_only_this_machine_reaches() {
        for (address, loopback, everywhere) in [
            ("127.0.0.1:9092", true, false),
            ("127.1.2.3:9092", true, false),
            ("[::1]:9092", true, false),
            ("localhost:9092", true, false),
            ("0.0.0.0:9092", false, true),
            ("[::]:9092", false, true),
            ("10.0.0.1:9092", false, false),
            ("hub.example:9092", false, false),
        ] {
            assert_eq!(is_loopback(address), loopback, "{address}");
            assert_eq!(is_everywhere(address), everywhere, "{address}");
        }
    }
}
