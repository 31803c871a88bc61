//! Questions to name servers and their answers, as they are sent (RFC 1035).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use simple_dns::{ResourceRecord, header_buffer};

/// So many names stand for one another at most.
const MOST_ALIASES: usize = 16;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    fn question(self) -> QTYPE {
        match self {
            Family::V4 => TYPE::A.into(),
            Family::V6 => TYPE::AAAA.into(),
        }
    }
}

/// What a server has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The name's addresses of the family; it may have none.
    Addresses(Vec<IpAddr>),
    /// The name has no record of any kind.
    NoSuchName,
    /// There is more than a datagram holds.
    Truncated,
    /// The server cannot tell.
    Failure(String),
}

/// A question that a server answers for other servers. `None` where the name is none.
pub(super) fn question(name: &str, family: Family, id: u16) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(asked(name, family)?);
    packet.build_bytes_vec().ok()
}

fn asked(name: &str, family: Family) -> Option<Question<'_>> {
    let name = Name::new(name).ok()?;
    let class = QCLASS::CLASS(CLASS::IN);
    Some(Question::new(name, family.question(), class, false))
}

/// Reads an answer; `None` where it does not answer this question.
pub(super) fn answer(bytes: &[u8], name: &str, family: Family, id: u16) -> Option<Answer> {
    let has = |flag| header_buffer::has_flags(bytes, flag).is_ok_and(|has| has);
    if header_buffer::id(bytes) != Ok(id) || !has(PacketFlag::RESPONSE) {
        return None;
    }
    // Perhaps cut off within a record.
    if has(PacketFlag::TRUNCATION) {
        return Some(Answer::Truncated);
    }
    let Ok(packet) = Packet::parse(bytes) else {
        return Some(Answer::Failure("its answer cannot be read".to_owned()));
    };
    let asked = asked(name, family)?;
    let repeats = |one: &Question<'_>| {
        one.qname == asked.qname && one.qtype == asked.qtype && one.qclass == asked.qclass
    };
    Some(match (packet.rcode(), &packet.questions[..]) {
        (RCODE::NoError, [one]) if repeats(one) => {
            Answer::Addresses(addresses(&packet.answers, asked.qname, family))
        }
        (RCODE::NameError, [one]) if repeats(one) => Answer::NoSuchName,
        // Some servers do not repeat a question that they cannot answer.
        (RCODE::NoError | RCODE::NameError, _) => return None,
        (code, [] | [_]) => Answer::Failure(format!("{code:?}")),
        _ => return None,
    })
}

/// The addresses of a name, or of what it stands for.
fn addresses(records: &[ResourceRecord<'_>], mut name: Name<'_>, family: Family) -> Vec<IpAddr> {
    let of = |name: &Name<'_>| {
        let name = name.clone().into_owned();
        records
            .iter()
            .filter(move |one| one.class == CLASS::IN && one.name == name)
    };
    for _ in 0..MOST_ALIASES {
        let alias = of(&name).find_map(|one| match &one.rdata {
            RData::CNAME(alias) => Some(alias.0.clone().into_owned()),
            _ => None,
        });
        match alias {
            Some(alias) => name = alias,
            None => break,
        }
    }
    let address = |one: &ResourceRecord<'_>| match (&one.rdata, family) {
        (RData::A(found), Family::V4) => Some(Ipv4Addr::from_bits(found.address).into()),
        (RData::AAAA(found), Family::V6) => Some(Ipv6Addr::from_bits(found.address).into()),
        _ => None,
    };
    of(&name).filter_map(address).collect()
}
