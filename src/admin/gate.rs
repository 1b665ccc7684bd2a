//! Who may ask what of the admin listener. A web page that a browser of this machine shows can send requests here, too,
//! and so can any user of this machine and whatever reaches the address.
//!
//! | asked for                     | at 127.0.0.1            | at another address       | at a unix socket    |
//! |-------------------------------|-------------------------|--------------------------|---------------------|
//! | `/health`, `/metrics`         | a known name            | nothing                  | rights to the file  |
//! | reading the API               | a known name            | a known name, the token  | rights to the file  |
//! | changing something            | a known name, the token | a known name, the token  | rights to the file  |
//!
//! A known name (`Host`) is an address in figures, `localhost`, or one of `admin.allowed_hosts`: a name that somebody
//! else can bind to 127.0.0.1 (DNS rebinding) is none. `Origin` is refused unless it is the host that is asked. What
//! changes something has a content type that no HTML form can send.

use std::net::IpAddr;

use axum::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, ORIGIN, TRANSFER_ENCODING,
};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};

use super::token::Token;

/// What is taken of bodies; HTML forms send none of these.
const CONTENT_TYPES: [&str; 4] =
    ["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"];

/// How one has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a unix socket: the rights of its file have let him in.
    Socket,
    /// By an address that only this machine reaches.
    Loopback,
    /// By an address that others reach.
    Network,
}

/// Why somebody is refused: status and sentence.
pub(super) type Refusal = (StatusCode, String);

/// Who may ask what.
#[derive(Debug)]
pub(super) struct Gate {
    /// The token.
    pub token: Token,
    /// Where it is to be found, for those who come without.
    pub token_place: String,
    /// Names by which the agent may be asked, in lower case.
    pub allowed_hosts: Vec<String>,
}

/// Whether a request only looks.
fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

impl Gate {
    /// Whether a request may go on that has come this `way`.
    ///
    /// # Errors
    /// What to answer instead.
    pub(super) fn admits(&self, way: Way, request: &Parts) -> Result<(), Refusal> {
        let is_api = !matches!(request.uri.path(), "/health" | "/metrics");
        if way != Way::Socket {
            if is_api || way == Way::Loopback {
                self.knows_host(request)?;
            }
            is_no_foreign_page(&request.headers)?;
        }
        if !reads(&request.method) {
            has_content_type(request)?;
        }
        let needs_token = way == Way::Network || (way == Way::Loopback && !reads(&request.method));
        if is_api && needs_token && !self.token.admits(request.headers.get(AUTHORIZATION)) {
            let place = &self.token_place;
            let sentence = format!(
                "the token is missing or wrong: send Authorization: Bearer with what is in {place}"
            );
            return Err((StatusCode::UNAUTHORIZED, sentence));
        }
        Ok(())
    }

    fn knows_host(&self, request: &Parts) -> Result<(), Refusal> {
        let mut named: Vec<&str> =
            request.uri.authority().map(|name| name.as_str()).into_iter().collect();
        for header in request.headers.get_all(HOST) {
            named.push(header.to_str().unwrap_or_default());
        }
        let refused = |name: &str| {
            let sentence = format!(
                "\"{name}\" is no name of this agent, and may be one that a web page has bound to it; \
                 use its address in figures, or add the name to admin.allowed_hosts"
            );
            Err((StatusCode::FORBIDDEN, sentence))
        };
        match named.iter().find(|name| !self.knows(name)) {
            Some(unknown) => refused(unknown),
            None if named.is_empty() || request.headers.get_all(HOST).iter().count() > 1 => {
                refused("")
            }
            None => Ok(()),
        }
    }

    fn knows(&self, authority: &str) -> bool {
        let Some(host) = host(authority) else { return false };
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        ip.is_ok() || host == "localhost" || self.allowed_hosts.contains(&host)
    }
}

/// The host of `HOST` or `HOST:PORT`, in lower case and without the dot of a full name.
fn host(authority: &str) -> Option<String> {
    let parsed: Uri = authority.parse().ok()?;
    let parsed = parsed.authority().filter(|parsed| parsed.as_str() == authority)?;
    if parsed.as_str().contains('@') {
        return None;
    }
    let host = parsed.host().to_ascii_lowercase();
    Some(host.strip_suffix('.').unwrap_or(&host).to_owned())
}

/// A browser says which page has sent a request, unless it is one of ours.
fn is_no_foreign_page(headers: &HeaderMap) -> Result<(), Refusal> {
    let own = headers.get(HOST).map(|host| host.as_bytes().to_ascii_lowercase());
    for origin in headers.get_all(ORIGIN) {
        let origin = origin.as_bytes().to_ascii_lowercase();
        let plain = [&b"http://"[..], b"https://"]
            .into_iter()
            .find_map(|scheme| origin.strip_prefix(scheme));
        if own.is_none() || plain != own.as_deref() {
            let page = String::from_utf8_lossy(&origin).into_owned();
            let sentence = format!("a web page of \"{page}\" may not ask this agent");
            return Err((StatusCode::FORBIDDEN, sentence));
        }
    }
    Ok(())
}

/// What a form of a web page could send is refused, and so is a body that does not say what it is.
fn has_content_type(request: &Parts) -> Result<(), Refusal> {
    let headers = &request.headers;
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let has_length = headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    let has_body = has_length || headers.contains_key(TRANSFER_ENCODING);
    let is_form = request.method == Method::POST || has_body || kind.is_some();
    let kind = kind.unwrap_or_default().split(|byte| *byte == b';').next().unwrap_or_default();
    let kind = String::from_utf8_lossy(kind).trim().to_ascii_lowercase();
    if is_form && !CONTENT_TYPES.contains(&kind.as_str()) {
        let sentence = format!(
            "the content type \"{kind}\" is not taken; send application/json, for records application/x-ndjson"
        );
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn gate() -> Gate {
        let token = Token::given("the-token".to_owned().into());
        let allowed_hosts = vec!["agent.example".to_owned()];
        Gate { token, token_place: "data/admin-token".to_owned(), allowed_hosts }
    }

    /// The status that comes of a request with these headers; 0 when it goes on.
    fn ask(way: Way, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        gate().admits(way, &parts).err().map_or(0, |(status, _)| status.as_u16())
    }

    const TOKEN: (&str, &str) = ("authorization", "Bearer the-token");
    const JSON: (&str, &str) = ("content-type", "application/json");
    const HERE: (&str, &str) = ("host", "127.0.0.1:9690");

    #[test]
    fn only_known_names_are_answered_and_everything_else_may_have_been_bound_to_this_address() {
        for (host, expected) in [
            ("127.0.0.1:9690", 0),
            ("127.0.0.1", 0),
            ("localhost:1", 0),
            ("LOCALHOST.", 0),
            ("[::1]:9690", 0),
            ("10.0.0.7:9690", 0),
            ("agent.example:9690", 0),
            ("Agent.Example.", 0),
            ("evil.example:9690", 403),
            ("127.0.0.1.evil.example", 403),
            ("localhost.evil.example", 403),
            ("evil.localhost", 403),
            ("a@127.0.0.1", 403),
            ("127.0.0.1/x", 403),
            ("", 403),
        ] {
            for path in ["/health", "/metrics", "/api/v1/hub"] {
                assert_eq!(
                    ask(Way::Loopback, "GET", path, &[("host", host)]),
                    expected,
                    "{host} {path}"
                );
            }
            let network = ask(Way::Network, "GET", "/api/v1/hub", &[("host", host), TOKEN]);
            assert_eq!(network, expected, "{host}");
            assert_eq!(ask(Way::Network, "GET", "/health", &[("host", host)]), 0, "{host}");
        }
        let twice = [HERE, ("host", "127.0.0.1")];
        assert_eq!(ask(Way::Loopback, "GET", "/health", &twice), 403);
        assert_eq!(ask(Way::Loopback, "GET", "/health", &[]), 403);
        let absolute = "http://evil.example/api/v1/hub";
        assert_eq!(ask(Way::Loopback, "GET", absolute, &[HERE]), 403);
    }

    #[test]
    fn a_foreign_page_is_refused_whatever_it_sends() {
        for (origin, expected) in [
            ("http://127.0.0.1:9690", 0),
            ("http://127.0.0.1:8000", 403),
            ("http://127.0.0.1", 403),
            ("http://evil.example", 403),
            ("null", 403),
            ("", 403),
        ] {
            for (method, path) in
                [("POST", "/api/v1/topics/t"), ("DELETE", "/api/v1/topics/t"), ("GET", "/metrics")]
            {
                let headers = [HERE, JSON, TOKEN, ("origin", origin)];
                assert_eq!(
                    ask(Way::Loopback, method, path, &headers),
                    expected,
                    "{origin} {method}"
                );
            }
            assert_eq!(ask(Way::Network, "GET", "/metrics", &[HERE, ("origin", origin)]), expected);
        }
    }

    #[test]
    fn what_a_form_can_send_changes_nothing() {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
            "",
        ] {
            let headers = [HERE, TOKEN, ("content-type", kind)];
            assert_eq!(ask(Way::Loopback, "POST", "/api/v1/topics/t", &headers), 415, "{kind}");
            assert_eq!(ask(Way::Socket, "POST", "/api/v1/topics/t", &headers), 415, "{kind}");
        }
        assert_eq!(ask(Way::Loopback, "POST", "/api/v1/topics/t", &[HERE, TOKEN]), 415);
        let charset = ("content-type", "Application/JSON; charset=utf-8");
        assert_eq!(ask(Way::Loopback, "POST", "/api/v1/topics/t", &[HERE, TOKEN, charset]), 0);
        assert_eq!(ask(Way::Loopback, "DELETE", "/api/v1/topics/t", &[HERE, TOKEN]), 0);
    }

    #[test]
    fn the_token_is_asked_for_by_what_changes_something_and_from_others_for_everything_but_watching()
     {
        for (way, method, path, expected) in [
            (Way::Loopback, "GET", "/api/v1/hub", 0),
            (Way::Loopback, "POST", "/api/v1/topics/t", 401),
            (Way::Loopback, "DELETE", "/api/v1/topics/t", 401),
            (Way::Loopback, "PUT", "/api/v1/anything", 401),
            (Way::Network, "GET", "/api/v1/hub", 401),
            (Way::Network, "GET", "/health", 0),
            (Way::Network, "GET", "/metrics", 0),
            (Way::Network, "POST", "/api/v1/topics/t", 401),
            (Way::Socket, "POST", "/api/v1/topics/t", 0),
        ] {
            assert_eq!(ask(way, method, path, &[HERE, JSON]), expected, "{way:?} {method} {path}");
            assert_eq!(ask(way, method, path, &[HERE, JSON, TOKEN]), 0, "{way:?} {method} {path}");
            let wrong = ("authorization", "Bearer the-tokem");
            assert_eq!(ask(way, method, path, &[HERE, JSON, wrong]), expected);
        }
    }
}
