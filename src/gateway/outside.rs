//! The checksum database, asked by the launcher for itself.

use super::server::Shared;
use super::{Config, Error, Limits};

/// No answer is longer: a full tile is 8 KiB, and a record a few lines.
const LONGEST: u64 = 1 << 20;

/// A client of the policy's checksum database, by the same upstreams, proxies and credentials as the
/// gateway's. It verifies nothing.
#[derive(Debug)]
pub struct ChecksumDatabase {
    shared: Shared,
}

impl ChecksumDatabase {
    /// Checks what can be checked without I/O.
    ///
    /// # Errors
    /// As [`super::Gateway::new`].
    pub fn new(config: Config) -> Result<ChecksumDatabase, Error> {
        Ok(ChecksumDatabase {
            shared: Shared::new(config, Limits::default())?,
        })
    }

    /// What the database answers for a path below its name.
    ///
    /// # Errors
    /// It is off, cannot be asked, or has no such path.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let Some(database) = &self.shared.sumdb else {
            return Err("the profile has no checksum database".to_owned());
        };
        let upstreams = self.shared.rules.upstreams();
        database
            .get(&self.shared.client, upstreams, path)
            .and_then(|answer| answer.read(LONGEST))
            .map(|(body, _)| body)
            .map_err(|failure| failure.reason)
    }
}
