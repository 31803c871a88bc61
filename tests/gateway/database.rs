//! A checksum database of the tests' own: a transparency log of fewer than 256 records, signed.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest, Sha256};

use super::modules::{Tree, hex};

pub const NAME: &str = "sum.example.test";

pub struct Database {
    key: Ed25519KeyPair,
    records: Vec<(String, String)>,
}

impl Database {
    /// Knows the sums of these versions of a tree.
    pub fn new(tree: &Tree, versions: &[(&str, &str)]) -> Database {
        let record = |(path, version): &(&str, &str)| {
            (format!("{path}@{version}"), tree.sums(path, version))
        };
        Database {
            key: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            records: versions.iter().map(record).collect(),
        }
    }

    fn public(&self) -> Vec<u8> {
        [&[1], self.key.public_key().as_ref()].concat()
    }

    fn hash(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(format!("{NAME}\n"))
            .chain_update(self.public())
            .finalize();
        digest[..4].try_into().unwrap()
    }

    /// `NAME+HASH+KEY`, as GOSUMDB has it.
    pub fn verifier(&self) -> String {
        format!(
            "{NAME}+{}+{}",
            hex(&self.hash()),
            BASE64_STANDARD.encode(self.public())
        )
    }

    /// Every path that the database answers, below its name.
    pub fn paths(&self) -> BTreeMap<String, Vec<u8>> {
        let leaves: Vec<Vec<u8>> = self.records.iter().map(|(_, text)| leaf(text)).collect();
        let count = leaves.len();
        let tree = format!(
            "go.sum database tree\n{count}\n{}\n",
            BASE64_STANDARD.encode(root(&leaves))
        );
        let signature = [&self.hash()[..], self.key.sign(tree.as_bytes()).as_ref()].concat();
        let note = format!(
            "{tree}\n\u{2014} {NAME} {}\n",
            BASE64_STANDARD.encode(signature)
        );
        let mut paths = BTreeMap::from([
            ("supported".to_owned(), Vec::new()),
            ("latest".to_owned(), note.clone().into_bytes()),
        ]);
        for width in 1..=count {
            paths.insert(format!("tile/8/0/000.p/{width}"), leaves[..width].concat());
        }
        for (at, (name, text)) in self.records.iter().enumerate() {
            let answer = format!("{at}\n{text}\n{note}");
            paths.insert(format!("lookup/{name}"), answer.into_bytes());
        }
        paths
    }

    /// Puts the database's answers into a tree, as a proxy that supports it has them.
    pub fn add_to(&self, tree: &mut Tree) {
        for (path, body) in self.paths() {
            tree.0.insert(format!("/sumdb/{NAME}/{path}"), body);
        }
    }
}

fn leaf(text: &str) -> Vec<u8> {
    Sha256::new()
        .chain_update([0])
        .chain_update(text)
        .finalize()
        .to_vec()
}

/// RFC 6962.
fn root(leaves: &[Vec<u8>]) -> Vec<u8> {
    if let [one] = leaves {
        return one.clone();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let digest = Sha256::new()
        .chain_update([1])
        .chain_update(root(&leaves[..split]))
        .chain_update(root(&leaves[split..]));
    digest.finalize().to_vec()
}
