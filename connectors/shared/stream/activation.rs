//! Sockets that systemd has opened for this process (`sd_listen_fds(3)`), by the name in `FileDescriptorName=`.
//!
//! They are the descriptors from 3 on, as many as `LISTEN_FDS` says, for the process `LISTEN_PID`; their names stand in
//! `LISTEN_FDNAMES` with colons between them. Each is doubled when it is taken, so that it can be taken again: by a source
//! that starts anew, after a reload. Connections and datagrams queue up in it meanwhile.

use std::io;
use std::net::TcpListener;

use rustix::process::{ForeignRawFd, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::{Domain, Socket, Type};

/// What an address begins with that is the name of such a socket.
const SCHEME: &str = "systemd:";
/// The first descriptor.
const FIRST: ForeignRawFd = 3;

/// The name in `systemd:NAME`; `None` for any other address.
#[must_use]
pub fn name(address: &str) -> Option<&str> {
    address.strip_prefix(SCHEME).filter(|name| !name.is_empty() && !name.contains([':', '/']))
}

/// Doubles of the sockets of that name, at least one; none of them blocks.
///
/// # Errors
/// That there is none, or what the system says.
pub fn take(name: &str) -> io::Result<Vec<Socket>> {
    let found = places(std::process::id(), |variable| std::env::var(variable).ok(), name);
    let found = found.map_err(|problem| io::Error::new(io::ErrorKind::NotFound, problem))?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let double = |place| {
        let socket = pidfd_getfd(&this, place, PidfdGetfdFlags::empty()).map_err(|error| {
            let hint =
                "the system call pidfd_getfd must be allowed (SystemCallFilter= of the unit)";
            io::Error::other(format!("the socket cannot be taken: {error}; {hint}"))
        })?;
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    found.into_iter().map(double).collect()
}

/// The one socket of that name, which must be of TCP and listen.
///
/// # Errors
/// As [`take`]; that there are several, or that it is another kind of socket.
pub fn tcp(name: &str) -> io::Result<TcpListener> {
    let mut sockets = take(name)?.into_iter();
    match (sockets.next(), sockets.next()) {
        (Some(socket), None) if is_tcp(&socket)? => Ok(socket.into()),
        (Some(_), None) => {
            let problem =
                format!("the socket `{name}` is not of TCP; write ListenStream=HOST:PORT");
            Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
        }
        _ => {
            let problem =
                format!("there are several sockets `{name}`; give each a name of its own");
            Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
        }
    }
}

/// Whether connections of TCP come there.
fn is_tcp(socket: &Socket) -> io::Result<bool> {
    let is_inet = [Domain::IPV4, Domain::IPV6].contains(&socket.domain()?);
    Ok(is_inet && socket.r#type()? == Type::STREAM && socket.is_listener()?)
}

/// The descriptors of that name.
fn places(
    process: u32,
    variable: impl Fn(&str) -> Option<String>,
    name: &str,
) -> Result<Vec<ForeignRawFd>, String> {
    let number = |text: Option<String>| text?.parse::<u32>().ok();
    let count = number(variable("LISTEN_FDS")).filter(|count| *count > 0);
    let is_ours = number(variable("LISTEN_PID")) == Some(process);
    let Some(count) = count.filter(|_| is_ours) else {
        return Err("systemd has passed no sockets; start the agent by its .socket unit".to_owned());
    };
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let last = FIRST.saturating_add(ForeignRawFd::try_from(count).unwrap_or(0));
    let named = (FIRST..last).zip(names.split(':'));
    let found: Vec<_> = named.filter(|(_, one)| *one == name).map(|(place, _)| place).collect();
    if found.is_empty() {
        let names = names.replace(':', ", ");
        return Err(format!(
            "systemd has passed no socket `{name}`, but these: {names}; write FileDescriptorName={name} in the .socket unit"
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_their_names_and_only_by_the_process_that_they_are_for() {
        let find = |variables: [&str; 3], name: &str| {
            let variable = |wanted: &str| {
                let names = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
                let at = names.iter().position(|name| *name == wanted)?;
                Some(variables[at].to_owned()).filter(|text| !text.is_empty())
            };
            places(7, variable, name)
        };
        let all = ["7", "3", "web:syslog:web"];
        assert_eq!(find(all, "web"), Ok(vec![3, 5]));
        assert_eq!(find(all, "syslog"), Ok(vec![4]));
        let problem = find(all, "sys").unwrap_err();
        assert!(problem.contains("no socket `sys`, but these: web, syslog, web"), "{problem}");
        assert!(find(["7", "1", "web:syslog"], "syslog").is_err(), "more names than sockets");
        for none in [["8", "3", "web"], ["", "3", "web"], ["7", "", "web"], ["7", "0", "web"]] {
            assert!(find(none, "web").unwrap_err().contains("no sockets"), "{none:?}");
        }
        find(["7", "4294967295", "web"], "syslog").unwrap_err();
    }

    #[test]
    fn only_a_name_is_one() {
        assert_eq!(name("systemd:web"), Some("web"));
        for other in ["systemd:", "127.0.0.1:80", "systemd", "systemd:a:b", "systemd://a"] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
