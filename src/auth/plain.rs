//! PLAIN (RFC 4616): one message, `[authorization identity] NUL name NUL password`.

use super::users::Table;

/// Longest message in bytes.
const MESSAGE_MAX: usize = 16 * 1024;

/// Who a message says that it is from, and whether the password is right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login<'a> {
    pub name: &'a str,
    pub right: bool,
}

/// Reads the one message.
///
/// # Errors
/// What is wrong with its form.
pub(super) fn check<'a>(message: &'a [u8], users: &Table) -> Result<Login<'a>, &'static str> {
    if message.len() > MESSAGE_MAX {
        return Err("the message is too long");
    }
    let text = std::str::from_utf8(message).map_err(|_quiet| "the message is not UTF-8")?;
    let mut parts = text.split('\0');
    let (Some(identity), Some(name), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the message is not an identity, a name and a password with NUL between them");
    };
    if name.is_empty() {
        return Err("the name is empty");
    }
    if !identity.is_empty() && identity != name {
        return Err("the authorization identity differs from the name");
    }
    Ok(Login { name, right: users.is_password(name, password) })
}

#[cfg(test)]
mod tests {
    use super::super::users::tests::users;
    use super::*;

    #[test]
    fn a_login_needs_the_exact_name_and_password() {
        let table = users(&[("alice", "pencil"), ("bob", "päss,=wort")]).table();
        for (message, name, right) in [
            ("\0alice\0pencil", "alice", true),
            ("alice\0alice\0pencil", "alice", true),
            ("\0bob\0päss,=wort", "bob", true),
            ("\0alice\0Pencil", "alice", false),
            ("\0alice\0", "alice", false),
            ("\0bob\0pencil", "bob", false),
            ("\0mallory\0pencil", "mallory", false),
        ] {
            assert_eq!(check(message.as_bytes(), &table), Ok(Login { name, right }), "{message:?}");
        }
    }

    #[test]
    fn another_form_is_refused() {
        let table = users(&[("alice", "pencil")]).table();
        let long = vec![b'a'; MESSAGE_MAX + 1];
        for message in [
            &b""[..],
            b"alice",
            b"\0alice",
            b"\0alice\0pencil\0",
            b"\0\0pencil",
            b"bob\0alice\0pencil",
            b"\0alice\0\xff",
            &long,
        ] {
            check(message, &table).unwrap_err();
        }
    }
}
