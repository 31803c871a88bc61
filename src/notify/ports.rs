//! Whose a port on the loopback is: the host's services share it with the sandbox.

use super::{Errno, diag};

/// Who answers on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Sockets made inside, and no others.
    Inside,
    /// At least one socket that was made elsewhere.
    Elsewhere,
    /// Nobody.
    Nobody,
}

/// Who answers on this port.
///
/// All sockets on the port count, whatever their address, so that binding `[::1]:5432` does not
/// open the way to the host's `127.0.0.1:5432`.
pub(super) fn owner(
    kind: i32,
    port: u16,
    mut ours: impl FnMut(u64) -> bool,
) -> Result<Owner, Errno> {
    if let Some(inodes) = diag::inodes(kind, port) {
        return Ok(match inodes.as_slice() {
            [] => Owner::Nobody,
            all if all.iter().all(|inode| ours(*inode)) => Owner::Inside,
            _ => Owner::Elsewhere,
        });
    }
    // A kernel without inet_diag.
    let (tables, listening) = match kind {
        libc::SOCK_STREAM => (["tcp", "tcp6"], true),
        _ => (["udp", "udp6"], false),
    };
    let mut found = Owner::Nobody;
    for table in tables {
        let text = match std::fs::read_to_string(format!("/proc/thread-self/net/{table}")) {
            Ok(text) => text,
            // A kernel without IPv6.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => return Err(libc::EPERM),
        };
        for line in text.lines().skip(1) {
            let Some((local, inode)) = entry(line, listening) else {
                continue;
            };
            if local == port {
                if !ours(inode) {
                    return Ok(Owner::Elsewhere);
                }
                found = Owner::Inside;
            }
        }
    }
    Ok(found)
}

/// Port and inode of a line; for TCP only of listening sockets.
fn entry(line: &str, listening: bool) -> Option<(u16, u64)> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    if listening && state != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    Some((port, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernels_table_is_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0";
        assert_eq!(entry(line, true), Some((8080, 4242)));
        assert_eq!(entry(&line.replace(" 0A ", " 01 "), true), None);
        assert_eq!(entry("nonsense", true), None);
    }

    #[test]
    fn a_port_of_others_is_not_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(owner(libc::SOCK_STREAM, port, |_| true), Ok(Owner::Inside));
        assert_eq!(
            owner(libc::SOCK_STREAM, port, |_| false),
            Ok(Owner::Elsewhere)
        );
        drop(listener);
        assert_eq!(owner(libc::SOCK_STREAM, port, |_| true), Ok(Owner::Nobody));
    }
}
