//! Unix sockets: bound with the rights that they are to have, over what an earlier life has left.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use super::BACKLOG;

/// Binds `path`; a socket for connections listens from then on. Who may connect is said by `mode`.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AddrInUse`] while somebody answers there.
pub fn bind(path: &Path, kind: Type, mode: u32) -> io::Result<Socket> {
    remove_stale(path, kind)?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.set_nonblocking(true)?;
    // Nobody can connect before the rights are as they are to be.
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

/// Removes the socket file of an earlier life, unless somebody answers there.
fn remove_stale(path: &Path, kind: Type) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file is there that is no socket",
        ));
    }
    let probe = Socket::new(Domain::UNIX, kind, None)?;
    if probe.connect(&SockAddr::unix(path)?).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_life_left_is_replaced_and_what_answers_or_is_no_socket_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let first = bind(&path, Type::STREAM, 0o600).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let taken = bind(&path, Type::STREAM, 0o600).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(bind(&path, Type::STREAM, 0o666).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "text").unwrap();
        let taken = bind(&path, Type::STREAM, 0o600).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
    }
}
