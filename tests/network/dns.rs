//! A name server of the tests' own, by UDP and TCP.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;

/// IPv4 addresses are asked for.
pub const A: u16 = 1;
/// IPv6 addresses are.
const AAAA: u16 = 28;

/// Says which addresses a name has, for a question's type.
pub type Zone = dyn Fn(&str, u16) -> Vec<IpAddr> + Send + Sync;

/// Answers on an address, as long as the process lives.
pub fn serve(at: SocketAddr, zone: Arc<Zone>) -> std::io::Result<()> {
    let tcp = TcpListener::bind(at)?;
    by_udp(UdpSocket::bind(at)?, Arc::clone(&zone));
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let zone = Arc::clone(&zone);
            thread::spawn(move || by_tcp(stream, &*zone));
        }
    });
    Ok(())
}

/// Answers what comes by a socket.
pub fn by_udp(socket: UdpSocket, zone: Arc<Zone>) {
    thread::spawn(move || {
        let mut question = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            if let Some(answer) = answer(&question[..length], &*zone) {
                let _gone = socket.send_to(&answer, from);
            }
        }
    });
}

fn by_tcp(mut stream: TcpStream, zone: &Zone) -> std::io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut question)?;
        let Some(answer) = answer(&question, zone) else {
            return Ok(());
        };
        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &answer].concat())?;
    }
}

/// The answer to a message with one question; `None` where it is none.
fn answer(message: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut rest = message.get(12..)?;
    loop {
        let (length, after) = rest.split_first()?;
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        if label.is_empty() {
            break;
        }
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
    let kind = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
    let question = &message[12..message.len() - rest.len() + 4];
    let addresses = zone(&labels.join("."), kind);
    let count = u16::try_from(addresses.len()).ok()?.to_be_bytes();
    // A response, recursion wanted and to be had; a question, and the answers.
    let mut reply = [
        &message[..2],
        &[0x81, 0x80, 0, 1],
        &count,
        &[0; 4],
        question,
    ]
    .concat();
    for address in addresses {
        let (kind, bytes) = match address {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        // The question's name, this type, class IN, to be kept no time.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(bytes.len()).ok()?]);
        reply.extend(bytes);
    }
    Some(reply)
}
