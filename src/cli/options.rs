//! Properties of Kafka's clients, for commands that ask brokers: on the command line, or in a file.
//!
//! What stands on the command line can be read by every user of the machine (`ps`). So values are filled in as in the
//! configuration, and a secret that stands there as it is is warned of.

use std::collections::BTreeMap;
use std::path::Path;

use super::failure::{Failure, warn};
use crate::config::filled_in;

/// What the names of properties with secrets have in them.
const SECRETS: [&str; 6] = ["password", "secret", "token", "jaas", "key.pem", "oauthbearer.config"];

/// The properties of `file` and those that `given` has, which win.
pub(super) fn read(
    file: Option<&Path>,
    given: &[(String, String)],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut options = match file {
        Some(path) => of_file(path)?,
        None => BTreeMap::new(),
    };
    for (name, value) in given {
        let filled = fill_in(name, value)?;
        if is_secret(name) && filled == *value && !value.is_empty() {
            warn(&format!(
                "every user of this machine can read the {name} on the command line; write it in a file for \
                 --options-file, or in single quotes '{name}=${{file:PATH}}' or '{name}=${{NAME}}'"
            ));
        }
        options.insert(name.clone(), filled);
    }
    Ok(options)
}

fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|part| name.contains(part)) && !name.ends_with(".location")
}

fn fill_in(name: &str, value: &str) -> Result<String, Failure> {
    filled_in(value).map_err(|problem| Failure::wrong(format!("{name}: {problem}")))
}

/// Lines `name=value`, as other tools of Kafka have them (`--command-config`); `#` begins a comment.
fn of_file(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::wrong(format!("cannot read {shown}: {error}")))?;
    let mut options = BTreeMap::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let number = index + 1;
        let pair = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = pair.filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::wrong(format!("{shown}:{number}: is not name=value")));
        };
        let filled = fill_in(name, value);
        let filled = filled.map_err(|failure| failure.within(&format!("{shown}:{number}")))?;
        options.insert(name.to_owned(), filled);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_the_command_line_are_put_together_and_filled_in() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("password"), "s3cret\n").unwrap();
        let password = format!("${{file:{}}}", at("password").display());
        let text = format!("# a comment\n\nsasl.username = ada\nsasl.password={password}\nx=a=b\n");
        std::fs::write(at("client.properties"), text).unwrap();
        let given = [("sasl.username".to_owned(), "bob".to_owned())];
        let options = read(Some(&at("client.properties")), &given).unwrap();
        let expected = [("sasl.password", "s3cret"), ("sasl.username", "bob"), ("x", "a=b")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(options, BTreeMap::from(expected));
        std::fs::write(at("wrong"), "a=1\nnonsense\n").unwrap();
        let wrong = |failure| match failure {
            Err(Failure::Wrong(what)) => what,
            other => panic!("{other:?}"),
        };
        let told = wrong(read(Some(&at("wrong")), &[]));
        assert_eq!(told, format!("{}:2: is not name=value", at("wrong").display()));
        let unset = [("sasl.password".to_owned(), "${NOBODY_SETS_THIS}".to_owned())];
        let told = wrong(read(None, &unset));
        assert!(
            told.starts_with("sasl.password: the variable `NOBODY_SETS_THIS` is not set"),
            "{told}"
        );
    }

    #[test]
    fn properties_with_secrets_are_known() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.jaas.config",
            "sasl.oauthbearer.client.secret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["sasl.username", "security.protocol", "ssl.ca.location", "sasl.mechanism"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
