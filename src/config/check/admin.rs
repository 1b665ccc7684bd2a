//! `admin`: where it is asked, by whom, under which names.

use anabranch_connectors::shared::stream::terms::doubt;
use anabranch_connectors::shared::stream::tls::TlsConfig;

use super::address::{is_address, is_loopback};
use super::findings::Findings;
use crate::auth::USER_PREFIX;
use crate::config::{AdminConfig, ApiListen};

/// Characters of the shortest token that nobody tries out.
const TOKEN_MIN: usize = 16;
/// What is said of an address that is none.
const ADDRESS_HINT: &str =
    "write, for example, 127.0.0.1:9690, unix:/run/anabranch/admin.sock, or none";

pub(super) fn check(admin: &AdminConfig, findings: &mut Findings) {
    if let Some(listen) = &admin.listen {
        address(listen, "listen", findings);
    }
    if let ApiListen::At(api) = &admin.api {
        address(api, "api", findings);
        if is_address(api) && !is_loopback(api) && admin.tls.is_none() {
            let problem = format!(
                "everyone who reaches {api} and has seen the token may change what is kept; it goes there unencrypted"
            );
            let hint = "write 127.0.0.1 or unix:/PATH, or put a proxy with TLS before it";
            findings.warning(&["admin", "api"], problem, hint);
        }
    }
    check_terms(admin, findings);
    if let Some(token) = &admin.token {
        let (path, length) = (["admin", "token"], token.reveal().len());
        let hint = "write what `openssl rand -hex 32` gives, or leave it out: the agent makes one";
        if length == 0 || token.reveal().bytes().any(|byte| !byte.is_ascii_graphic()) {
            let problem = "is empty, or has characters that no header can have";
            findings.error(&path, problem, hint);
        } else if length < TOKEN_MIN {
            findings.warning(&path, format!("has {length} characters and can be guessed"), hint);
        }
    }
    if admin.principal.strip_prefix(USER_PREFIX).is_none_or(str::is_empty) {
        let problem = format!("\"{}\" is not a principal", admin.principal);
        let hint = "write User: and the name, such as User:admin";
        findings.error(&["admin", "principal"], problem, hint);
    }
    for (index, name) in admin.allowed_hosts.iter().enumerate() {
        if name.is_empty() || name.contains(['/', ':', '*', '@', ' ']) {
            let problem = format!("\"{name}\" is not a name");
            let hint = "write the name alone, such as agent.example.com: no scheme, port or star";
            findings.error(&["admin", "allowed_hosts", &format!("[{index}]")], problem, hint);
        }
    }
}

/// What is asked of those who come by TCP.
fn check_terms(admin: &AdminConfig, findings: &mut Findings) {
    for fault in admin.tls.iter().flat_map(TlsConfig::faults) {
        let inside: Vec<&str> = fault.setting.split('.').collect();
        findings.error(&[&["admin"], &*inside].concat(), fault.problem, fault.hint);
    }
    if let Some(doubt) = doubt(admin.proxy_protocol, &admin.allow) {
        findings.warning(&["admin", doubt.setting], doubt.problem, doubt.hint);
    }
    let is_tcp = |address: &str| !address.starts_with("unix:");
    let api = match &admin.api {
        ApiListen::At(api) => Some(api.as_str()),
        ApiListen::Auto | ApiListen::None => None,
    };
    if admin.listen.as_deref().into_iter().chain(api).any(is_tcp) {
        return;
    }
    let asked = [
        ("tls", admin.tls.is_some()),
        ("allow", !admin.allow.is_empty()),
        ("proxy_protocol", admin.proxy_protocol),
    ];
    for (setting, _) in asked.iter().filter(|(_, is_set)| *is_set) {
        let problem = "is for addresses host:port, and there is none";
        let hint = "remove it: the rights of a unix socket's file say who may connect";
        findings.error(&["admin", setting], problem, hint);
    }
}

fn address(address: &str, setting: &str, findings: &mut Findings) {
    let is_unix = address.strip_prefix("unix:").is_some_and(|path| path.starts_with('/'));
    if !is_unix && !is_address(address) {
        let problem = format!("\"{address}\" is not host:port");
        findings.error(&["admin", setting], problem, ADDRESS_HINT);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::check::{Level, check as check_all};
    use crate::config::load_str;

    fn found(admin: &str) -> Vec<(Level, String)> {
        let config = load_str(&format!("admin: {{ {admin} }}\n"), "test.yaml").unwrap();
        let found = check_all(&config).into_iter().map(|found| (found.level, found.setting));
        found.filter(|(_, setting)| setting.starts_with("admin")).collect()
    }

    #[test]
    fn what_cannot_work_or_is_open_to_others_is_told() {
        for good in [
            "listen: none",
            "listen: \"0.0.0.0:9690\"",
            "listen: \"unix:/run/a.sock\", api: none",
            "api: \"127.0.0.1:9691\", token: 0123456789abcdef",
            "principal: \"User:ops\", allowed_hosts: [agent.example.com]",
        ] {
            assert_eq!(found(good), [], "{good}");
        }
        for (wrong, level, setting) in [
            ("listen: \"9690\"", Level::Error, "admin.listen"),
            ("listen: \"unix:relative\"", Level::Error, "admin.listen"),
            ("api: \"localhost\"", Level::Error, "admin.api"),
            ("listen: none, api: \"0.0.0.0:9690\"", Level::Warning, "admin.api"),
            ("listen: none, api: \"127.0.0.1:8687\", token: short", Level::Warning, "admin.token"),
            ("token: \"\"", Level::Error, "admin.token"),
            ("token: \"with a space in it\"", Level::Error, "admin.token"),
            ("principal: admin", Level::Error, "admin.principal"),
            ("allowed_hosts: [\"http://a\"]", Level::Error, "admin.allowed_hosts[0]"),
            ("proxy_protocol: true", Level::Warning, "admin.proxy_protocol"),
            ("listen: \"unix:/run/a.sock\", allow: [\"::1\"]", Level::Error, "admin.allow"),
        ] {
            assert_eq!(found(wrong), [(level, setting.to_owned())], "{wrong}");
        }
    }
}
