//! What the kernel dropped because nobody read it in time, from `/proc/net/udp`.

use std::path::PathBuf;

/// Follows the count of one socket.
#[derive(Debug)]
pub(super) struct Drops {
    table: PathBuf,
    inode: u64,
    counted: u64,
}

impl Drops {
    /// Of the UDP socket with that inode.
    pub(super) fn new(inode: u64, is_ipv6: bool) -> Self {
        let table = if is_ipv6 { "/proc/self/net/udp6" } else { "/proc/self/net/udp" };
        Self { table: table.into(), inode, counted: 0 }
    }

    /// How many datagrams were dropped since the last call; 0 where the system does not tell.
    pub(super) fn take(&mut self) -> u64 {
        let table = std::fs::read_to_string(&self.table).unwrap_or_default();
        let Some(total) = total(&table, self.inode) else {
            return 0;
        };
        let new = total.saturating_sub(self.counted);
        self.counted = self.counted.max(total);
        new
    }
}

/// The column `drops` of the line of a socket; `inode` is the tenth column.
fn total(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let found = columns.nth(9)?.parse::<u64>().ok()? == inode;
        found.then(|| columns.last()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_found_by_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode \
                     ref pointer drops             \n\
                     12: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 771 2 \
                     0000000000000000 0         \n\
                     13: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 772 2 \
                     0000000000000000 9041      \n";
        assert_eq!(total(table, 772), Some(9041));
        assert_eq!(total(table, 771), Some(0));
        assert_eq!(total(table, 773), None);
        assert_eq!(total("", 1), None);
    }
}
