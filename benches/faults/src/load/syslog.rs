//! A device that logs over TCP, one connection after the other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::Desk;
use crate::oracle::Way;
use crate::random::{Random, number_of};

/// Longest wait for the agent to close what is ended, and for room to write.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connects to `address` again and again until told to stop; each connection is a stream of its own.
pub fn log(desk: &Desk, name: &str, address: SocketAddr) {
    let mut random = Random::of(&[desk.oracle.seed, number_of(name)]);
    let mut connections = 0;
    while !desk.stopped() {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
            desk.pause(100);
            continue;
        };
        connections += 1;
        let name = format!("{name}.{connections}");
        desk.oracle.open(&name, Way::Syslog);
        let in_order = talk(desk, &name, &mut stream, &mut random).is_ok();
        desk.oracle.closed(&name, in_order);
    }
}

/// Sends for a while and ends in order, which the other side confirms by closing its own half.
fn talk(
    desk: &Desk,
    name: &str,
    stream: &mut TcpStream,
    random: &mut Random,
) -> std::io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let counted = random.chance(50);
    let mut writes = random.between(5, 120);
    while writes > 0 && !desk.stopped() {
        writes -= 1;
        let (_first, lines) = desk.oracle.issue(name, 1 + random.size(20));
        let mut bytes = String::new();
        for line in lines {
            let message = format!("<13>1 2026-11-28T00:00:00Z device app - - - {line}");
            if counted {
                bytes.push_str(&format!("{} {message}", message.len()));
            } else {
                bytes.push_str(&message);
                bytes.push('\n');
            }
        }
        stream.write_all(bytes.as_bytes())?;
        desk.pause(random.between(5, 60));
    }
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
