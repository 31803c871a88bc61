//! A module proxy in a folder, with modules of our own.

use std::fs;
use std::path::{Path, PathBuf};

use super::write;

/// A folder that serves modules (`file://`).
pub struct Modules {
    folder: PathBuf,
}

impl Modules {
    pub fn new(folder: impl Into<PathBuf>) -> Modules {
        Modules {
            folder: folder.into(),
        }
    }

    pub fn upstream(&self) -> String {
        format!("file://{}", self.folder.display())
    }

    /// Adds a version of a module; its path has no capital letters, which would be escaped.
    pub fn add(&self, module: &str, version: &str, files: &[(&str, &str)]) {
        let folder = self.folder.join(module).join("@v");
        let go_mod = files.iter().find(|(name, _)| *name == "go.mod");
        let info = format!("{{\"Version\":\"{version}\",\"Time\":\"2020-01-02T03:04:05Z\"}}");
        write(&folder.join(format!("{version}.info")), &info);
        write(&folder.join(format!("{version}.mod")), go_mod.unwrap().1);
        let named: Vec<(String, &str)> = files
            .iter()
            .map(|(name, content)| (format!("{module}@{version}/{name}"), *content))
            .collect();
        fs::write(folder.join(format!("{version}.zip")), zip(&named)).unwrap();
        let list = folder.join("list");
        let before = fs::read_to_string(&list).unwrap_or_default();
        fs::write(list, format!("{before}{version}\n")).unwrap();
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// An archive whose files are stored as they are.
fn zip(files: &[(String, &str)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let offset = archive.len() as u32;
        let mut common = Vec::new();
        // Version 2.0, no flags, stored, 1980-01-01.
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        common.extend(crc32(content.as_bytes()).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.bytes());
        archive.extend(content.bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (count, start) = (files.len() as u16, archive.len() as u32);
    let size = directory.len() as u32;
    archive.append(&mut directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
