//! What a deployment loads, made from the same policy that the launcher enforces.
//!
//! A backend turns a [`Model`] (the policy's rules for one project, [`rules`]) into files. It never
//! keeps silent about what its format cannot say: each [`Point`] of the policy has a [`Fit`], and what
//! does not fit exactly is a comment in every file, a warning, and a row of docs/generated/matching.md.
//! Nothing here reads or writes a file.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::policy::Policy;
use crate::refusal::{Code, Help, Refuse, shell_path};
use crate::text::visible;

pub mod apparmor;
pub mod bwrap;
pub mod container;
pub mod kubernetes;
pub mod matching;
pub mod oci;
mod rights;
pub mod rules;
pub mod selinux;
pub mod systemd;

pub use matching::{Fit, Point};
pub use rules::{Rule, Site};

/// A format, and how it is made.
pub trait Backend: Sync {
    /// The word after `gosandbox profile`.
    fn format(&self) -> &'static str;
    /// The words that `--format` knows.
    fn forms(&self) -> &'static [&'static str] {
        &[]
    }
    /// How far the format can say what the policy means by a point.
    fn fit(&self, point: Point) -> Fit;
    /// The files, the one that is printed first.
    ///
    /// # Errors
    /// A path that the format cannot hold.
    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error>;
}

/// Every backend, in the order of the matching table. A new format is a line here.
pub const BACKENDS: [&dyn Backend; 7] = [
    &apparmor::AppArmor,
    &selinux::Selinux,
    &oci::OciSeccomp,
    &systemd::Systemd,
    &kubernetes::Kubernetes,
    &container::Container,
    &bwrap::Bwrap,
];

/// The backend of a format.
pub fn backend(format: &str) -> Option<&'static dyn Backend> {
    BACKENDS.into_iter().find(|one| one.format() == format)
}

/// What backends are given.
#[derive(Debug)]
pub struct Model<'a> {
    /// The resolved policy.
    pub policy: &'a Policy,
    /// Where the project, the toolchain and the caches lie.
    pub site: &'a Site,
    /// The files that both cages may use, without contradictions.
    pub rules: Vec<Rule>,
    /// Whether refusals are enforced or only told.
    pub mode: Mode,
    /// Another form of the format, where it has more than one (`te`).
    pub form: Option<String>,
    /// Changes with the policy and with the paths that it was resolved for.
    digest: String,
}

impl<'a> Model<'a> {
    /// The model of a policy for a site.
    ///
    /// # Errors
    /// Rules that contradict each other.
    pub fn new(policy: &'a Policy, site: &'a Site) -> Result<Model<'a>, Error> {
        let rules = rules::rules(policy, site)?;
        Ok(Model {
            policy,
            site,
            digest: digest(policy, &rules)?,
            rules,
            mode: Mode::Enforce,
            form: None,
        })
    }

    /// The lines that every generated file begins with, without a comment sign.
    pub fn header(&self, backend: &dyn Backend) -> Vec<String> {
        let mut lines = vec![
            format!(
                "made by gosandbox {} profile {}; do not edit, make it again",
                env!("CARGO_PKG_VERSION"),
                backend.format()
            ),
            format!(
                "profile {}, policy digest {}",
                visible(&self.policy.name),
                self.digest
            ),
        ];
        for (point, fit) in self.losses(backend) {
            lines.push(format!("{}: {fit}", point.word()));
        }
        lines
    }

    /// The points that the format does not hold exactly, as the policy uses them.
    pub fn losses(&self, backend: &dyn Backend) -> Vec<(Point, Fit)> {
        Point::ALL
            .into_iter()
            .filter(|point| point.is_used(self.policy))
            .map(|point| (point, backend.fit(point)))
            .filter(|(_, fit)| *fit != Fit::Exact)
            .collect()
    }
}

fn digest(policy: &Policy, rules: &[Rule]) -> Result<String, Error> {
    let text = serde_json::to_string(policy).map_err(|error| Error::Policy(error.to_string()))?;
    let hash = Sha256::digest(format!("{text}\n{rules:?}"));
    Ok(crate::text::hex(&hash[..8]))
}

/// What comes of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is logged.
    Complain,
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its name, without a folder.
    pub name: String,
    /// What it holds.
    pub content: String,
    /// Whether it is a script.
    pub executable: bool,
}

impl Artifact {
    /// A file that is loaded.
    pub fn file(name: &str, content: String) -> Artifact {
        Artifact {
            name: name.to_owned(),
            content,
            executable: false,
        }
    }

    /// A script.
    pub fn script(name: &str, content: String) -> Artifact {
        Artifact {
            executable: true,
            ..Artifact::file(name, content)
        }
    }
}

/// What cannot be generated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A path that a format cannot hold safely.
    #[error("cannot write {path:?} into a {format} profile: {why}")]
    Path {
        /// The path.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The policy cannot be written down for its digest.
    #[error("cannot write down the policy: {0}")]
    Policy(String),
    /// A policy that says two things of one path.
    #[error(
        "cannot make a profile: {} may be written, and it holds {}, which may not",
        writable.display(), held.display()
    )]
    Contradiction {
        /// What may be written.
        writable: PathBuf,
        /// What may not.
        held: PathBuf,
    },
}

impl Refuse for Error {
    fn code(&self) -> Code {
        Code::FormatCannotHold
    }

    fn help(&self) -> Vec<Help> {
        let words = match self {
            Error::Path { path, .. } => format!("rename {}", shell_path(path)),
            Error::Policy(_) => return Vec::new(),
            Error::Contradiction { writable, .. } => {
                format!("take {} out of files.write", shell_path(writable))
            }
        };
        vec![Help::Words(words)]
    }
}
