use std::collections::BTreeMap;

use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;

/// A log of records, signed, as the database serves it.
struct Database {
    key: Ed25519KeyPair,
    records: Vec<String>,
}

const NAME: &str = "sum.example.test";

impl Database {
    fn new(count: usize) -> Database {
        let record = |at| {
            format!(
                "example.test/m v1.0.{at} h1:sum{at}=\nexample.test/m v1.0.{at}/go.mod h1:mod=\n"
            )
        };
        Database {
            key: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            records: (0..count).map(record).collect(),
        }
    }

    fn key(&self) -> Vec<u8> {
        [&[ALGORITHM], self.key.public_key().as_ref()].concat()
    }

    fn hash(&self) -> Vec<u8> {
        digest(&[format!("{NAME}\n").as_bytes(), &self.key()])[..4].to_vec()
    }

    fn verifier(&self) -> Verifier {
        let (hash, key) = (crate::text::hex(&self.hash()), self.key());
        Verifier::parse(&format!("{NAME}+{hash}+{}", BASE64_STANDARD.encode(key))).unwrap()
    }

    fn note(&self) -> String {
        let leaves: Vec<Hash> = self.leaves();
        let root = BASE64_STANDARD.encode(tree(&leaves));
        let text = format!("go.sum database tree\n{}\n{root}\n", leaves.len());
        let signature = [&self.hash()[..], self.key.sign(text.as_bytes()).as_ref()].concat();
        format!(
            "{text}\n\u{2014} {NAME} {}\n",
            BASE64_STANDARD.encode(signature)
        )
    }

    fn leaves(&self) -> Vec<Hash> {
        let leaf = |record: &String| digest(&[&[0], record.as_bytes()]);
        self.records.iter().map(leaf).collect()
    }

    /// Every path that it answers.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for (at, record) in self.records.iter().enumerate() {
            let answer = format!("{at}\n{record}\n{}", self.note());
            let path = format!("lookup/example.test/m@v1.0.{at}");
            files.insert(path, answer.into_bytes());
        }
        let mut row = self.leaves();
        for level in 0.. {
            for (number, tile) in row.chunks(256).enumerate() {
                let path = tile_path(level, number as u64, tile.len() as u64);
                files.insert(path, tile.concat());
            }
            row = row.chunks_exact(256).map(over).collect();
            if row.is_empty() {
                return files;
            }
        }
        unreachable!()
    }
}

/// As RFC 6962 defines it.
fn tree(leaves: &[Hash]) -> Hash {
    match leaves {
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
            node(&tree(left), &tree(right))
        }
    }
}

fn ask(
    verifier: &Verifier,
    files: &BTreeMap<String, Vec<u8>>,
    at: usize,
) -> Result<String, SumError> {
    let fetch = |path: &str| files.get(path).cloned().ok_or_else(|| format!("no {path}"));
    verifier.sum(&format!("example.test/m@v1.0.{at}"), &fetch)
}

#[test]
fn a_record_of_logs_of_any_size_is_found() {
    for count in [1, 2, 3, 7, 255, 256, 257, 511, 513, 700] {
        let database = Database::new(count);
        let (verifier, files) = (database.verifier(), database.files());
        for at in [0, count / 2, count - 1] {
            let sum = ask(&verifier, &files, at).unwrap();
            assert_eq!(sum, format!("h1:sum{at}="), "{at} of {count}");
        }
    }
}

#[test]
fn an_answer_that_was_changed_anywhere_does_not_count() {
    let database = Database::new(300);
    let (verifier, files) = (database.verifier(), database.files());
    assert!(ask(&verifier, &files, 270).is_ok());
    let path = "lookup/example.test/m@v1.0.270";
    let answer = String::from_utf8(files[path].clone()).unwrap();
    let changed = [
        answer.replace("h1:sum270=", "h1:evil="),
        answer.replacen("270\n", "3\n", 1),
        answer.replace("tree\n300\n", "tree\n271\n"),
        answer.replace(NAME, "sum.other.test"),
        answer.replacen("v1.0.270", "v1.0.271", 2),
        answer[..answer.find('\u{2014}').unwrap()].to_owned(),
        String::new(),
    ];
    for answer in changed {
        let mut files = files.clone();
        files.insert(path.to_owned(), answer.clone().into_bytes());
        assert!(ask(&verifier, &files, 270).is_err(), "{answer}");
    }
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with("tile")) {
        let mut files = files.clone();
        files.insert(path.clone(), content[1..].to_vec());
        assert_eq!(
            ask(&verifier, &files, 270).is_ok(),
            path == "tile/8/0/000",
            "{path}"
        );
        let mut flipped = content.clone();
        flipped[0] ^= 1;
        files.insert(path.clone(), flipped);
        // The first full tile is behind the hash over it, in the row above.
        let is_behind = path == "tile/8/0/000";
        assert_eq!(ask(&verifier, &files, 270).is_ok(), is_behind, "{path}");
    }
}

#[test]
fn a_record_of_another_module_is_no_answer() {
    let database = Database::new(3);
    let mut files = database.files();
    let other = files["lookup/example.test/m@v1.0.1"].clone();
    files.insert("lookup/example.test/m@v1.0.0".to_owned(), other);
    let error = ask(&database.verifier(), &files, 0).unwrap_err();
    assert!(error.to_string().contains("another module"), "{error}");
}

#[test]
fn keys_are_read_as_go_reads_them() {
    assert!(Verifier::parse("sum.golang.org").is_ok());
    let good = KNOWN[0].1;
    for bad in [
        "",
        "off",
        "sum.example.test",
        &good.replace("033de0ae", "033de0af"),
        &good.replace("Ac4z", "As4z"),
        &good[..good.len() - 4],
    ] {
        assert!(Verifier::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn tiles_are_numbered_as_the_database_numbers_them() {
    assert_eq!(tile_path(0, 0, 256), "tile/8/0/000");
    assert_eq!(tile_path(1, 1_234_067, 256), "tile/8/1/x001/x234/067");
    assert_eq!(tile_path(2, 5, 17), "tile/8/2/005.p/17");
}
