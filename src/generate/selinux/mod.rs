//! SELinux: placeholder while it grows.

use super::matching::{Fit, Point};
use super::{Artifact, Backend, Error, Model};

/// The backend.
#[derive(Debug)]
pub struct Selinux;

impl Backend for Selinux {
    fn format(&self) -> &'static str {
        "selinux"
    }

    fn fit(&self, _point: Point) -> Fit {
        Fit::Exact
    }

    fn render(&self, _model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        Ok(Vec::new())
    }
}
