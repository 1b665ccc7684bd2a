//! Addresses as they may be shown: who logs in and what stands behind the path is often secret.

/// The URL without user, password, query and fragment; what is no URL is shown without what stands before an `@` or
/// behind a `?`.
///
/// ```
/// use anabranch_connectors::shared::shown::address;
/// assert_eq!(address("https://u:p@example.com/in?token=t#f"), "https://example.com/in");
/// ```
#[must_use]
pub fn address(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (url, _secret) = url.split_at(end);
    let (scheme, rest) = match url.find("//") {
        Some(at) => url.split_at(at + 2),
        None => ("", url),
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(host_end);
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
    // A password may have what ends an authority.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !is_port(port) && !host.ends_with(']') => name,
        _ => host,
    };
    format!("{scheme}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for (url, expected) in [
            ("http://a:1/x", "http://a:1/x"),
            ("https://user:pass@a/x?sig=1&b=2", "https://a/x"),
            ("https://user@a?sig=1", "https://a"),
            ("https://a@b@c/x", "https://c/x"),
            ("https://u:p?w@a/x", "https://u"),
            ("https://[::1]:9/x", "https://[::1]:9/x"),
            ("https://[::1]/x", "https://[::1]/x"),
            ("https://a/x#token", "https://a/x"),
            ("https://a/{topic}/@x?k={key}", "https://a/{topic}/@x"),
            ("user:pass@host:9200", "host:9200"),
            ("kafka-1:9092", "kafka-1:9092"),
            ("", ""),
        ] {
            assert_eq!(address(url), expected, "{url}");
        }
    }
}
