//! A name server by UDP and TCP. It writes and reads messages by hand, so that it does not share the
//! mistakes of the code under test.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::web::names::message::Family;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// A datagram that no option makes longer.
const DATAGRAM: usize = 512;

/// What a question is answered with.
pub enum Reply {
    /// Of the name that is asked for.
    Addresses(Vec<IpAddr>),
    /// Names, each with an address or what it is an alias of.
    Records(Vec<(String, Result<IpAddr, String>)>),
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL.
    Failure,
    /// Nothing.
    Silence,
    /// Several that answer other questions, and then this address.
    AfterForgeries(IpAddr),
}

type Zone = dyn Fn(&str, Family) -> Reply + Send + Sync;

/// Answers as long as the process lives.
pub struct Server {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(at: &str, zone: impl Fn(&str, Family) -> Reply + Send + Sync + 'static) -> Server {
        let tcp = TcpListener::bind(at).unwrap();
        let at = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(at).unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        let zone: Arc<Zone> = Arc::new(zone);
        let answers = move |question: &[u8], way: &str| {
            let (name, family) = read(question);
            log.lock()
                .unwrap()
                .push(format!("{} {family:?} {way}", name.to_lowercase()));
            messages(question, &zone(&name.to_lowercase(), family))
        };
        let by_tcp = answers.clone();
        thread::spawn(move || {
            let mut question = [0; DATAGRAM];
            while let Ok((length, from)) = udp.recv_from(&mut question) {
                for mut answer in answers(&question[..length], "udp") {
                    if answer.len() > DATAGRAM {
                        answer.truncate(DATAGRAM);
                        answer[2] |= 0x02;
                    }
                    let _gone = udp.send_to(&answer, from);
                }
            }
        });
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let answers = by_tcp.clone();
                thread::spawn(move || serve(stream, |question| answers(question, "tcp")));
            }
        });
        Server { at, asked }
    }

    pub fn port(&self) -> u16 {
        self.at.port()
    }

    /// Each question: the name in small letters, the family, and how it came.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answers: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> std::io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut question)?;
        for answer in answers(&question) {
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            // In two pieces, as a network may have it.
            stream.write_all(&length)?;
            let (one, other) = answer.split_at(answer.len() / 2);
            stream.write_all(one)?;
            stream.write_all(other)?;
        }
    }
}

/// The name and the family that a question asks for.
fn read(question: &[u8]) -> (String, Family) {
    let kind = question.len() - 4;
    let family = match u16::from_be_bytes([question[kind], question[kind + 1]]) {
        A => Family::V4,
        AAAA => Family::V6,
        other => panic!("type {other}"),
    };
    (name(question), family)
}

fn name(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = &question[12..];
    while rest[0] > 0 {
        let (label, after) = rest[1..].split_at(rest[0].into());
        labels.push(String::from_utf8(label.to_vec()).unwrap());
        rest = after;
    }
    labels.join(".")
}

fn messages(question: &[u8], reply: &Reply) -> Vec<Vec<u8>> {
    let Reply::AfterForgeries(address) = reply else {
        return message(question, reply).into_iter().collect();
    };
    let forged = Reply::Addresses(vec![IpAddr::from([203, 0, 113, 66])]);
    let mut other_id = question.to_vec();
    other_id[0] ^= 1;
    let mut other_name = question.to_vec();
    other_name[13] ^= 1;
    let mut other_kind = question.to_vec();
    let kind = question.len() - 3;
    other_kind[kind] = 15;
    let good = Reply::Addresses(vec![*address]);
    // A question is no answer to itself.
    let all = [
        Some(question.to_vec()),
        message(&other_id, &forged),
        message(&other_name, &forged),
        message(&other_kind, &forged),
        Some(vec![question[0], question[1]]),
        message(question, &good),
    ];
    all.into_iter().flatten().collect()
}

/// The answer to a question.
pub fn message(question: &[u8], reply: &Reply) -> Option<Vec<u8>> {
    let name = name(question);
    let (code, records) = match reply {
        Reply::Addresses(all) => (0, all.iter().map(|one| (name.clone(), Ok(*one))).collect()),
        Reply::Records(all) => (0, all.clone()),
        Reply::NoSuchName => (3, Vec::new()),
        Reply::Failure => (2, Vec::new()),
        Reply::Silence | Reply::AfterForgeries(_) => return None,
    };
    let count = u16::try_from(records.len()).unwrap().to_be_bytes();
    let mut bytes = [
        &question[..2],
        &[0x81, 0x80 | code, 0, 1],
        &count,
        &[0; 4],
        &question[12..],
    ]
    .concat();
    for (owner, record) in records {
        let (kind, data) = match record {
            Ok(IpAddr::V4(one)) => (A, one.octets().to_vec()),
            Ok(IpAddr::V6(one)) => (AAAA, one.octets().to_vec()),
            Err(alias) => (CNAME, wire(&alias)),
        };
        // A pointer to the question's name where that is the owner.
        bytes.extend(match owner == name {
            true => vec![0xc0, 12],
            false => wire(&owner),
        });
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
    }
    Some(bytes)
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
