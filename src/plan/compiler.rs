//! The C compiler's part in a run. No C compiler is ever in reach of the source.
//!
//! With `-race` the go command asks it who it is, and the linker asks where its library lies. The launcher stands in for it
//! and answers both ([`StandIn`]). Go's own packages are compiled beforehand, in a run that shows nothing of the user's
//! ([`Part::Compiles`]).

use crate::policy::places::{COMPILER, OWN_FOLDER};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Node;
use super::inputs::Inputs;
use super::own::OwnFiles;

/// Holds the [`StandIn`] as JSON, in the go command's environment alone.
pub const COMPILER_VARIABLE: &str = "GOSANDBOX_COMPILER";

/// What the C compiler is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It compiles Go's own packages.
    Compiles,
    /// The launcher stands in for it.
    StandsIn {
        /// What it answers.
        stand_in: StandIn,
        /// The compiler's library, which the linker reads.
        library: Option<PathBuf>,
        /// The folder with a link of the compiler's name to the launcher, for hosts without a mount view.
        folder: Option<PathBuf>,
    },
}

/// What the launcher answers in the compiler's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StandIn {
    /// The name that go calls it by.
    pub name: String,
    /// The answers, as the compiler gave them.
    pub answers: Vec<Answer>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The arguments.
    pub arguments: Vec<String>,
    /// What the compiler said.
    pub output: String,
}

impl StandIn {
    /// The answer to these arguments.
    pub fn answer(&self, arguments: &[String]) -> Option<&str> {
        let mut answers = self.answers.iter();
        let found = answers.find(|answer| answer.arguments == arguments);
        found.map(|answer| answer.output.as_str())
    }
}

impl Part {
    /// The folder in which go finds the compiler by its name.
    pub fn folder(&self, own: &OwnFiles) -> Option<PathBuf> {
        match self {
            Part::Compiles => None,
            Part::StandsIn { folder, .. } => match &own.wrapper {
                Some(_) => Some(Path::new(OWN_FOLDER).join(COMPILER)),
                None => folder.clone(),
            },
        }
    }
}

/// The launcher, where it starts programs or stands in for a C compiler, and the name of that.
pub(super) fn launcher(inputs: &Inputs<'_>, own: &OwnFiles) -> Vec<Node> {
    let Inputs { project, run, .. } = *inputs;
    let folder = run.compiler.as_ref().and_then(|part| part.folder(own));
    let Some(wrapper) = own.wrapper.as_ref() else {
        return Vec::new();
    };
    if run.wraps.is_none() && folder.is_none() {
        return Vec::new();
    }
    let mut nodes = vec![Node::Bind {
        source: project.launcher.clone(),
        target: wrapper.clone(),
        writable: false,
        id_map: false,
    }];
    if let (Some(folder), Some(Part::StandsIn { stand_in, .. })) = (folder, &run.compiler) {
        nodes.push(Node::Symlink {
            target: folder.join(&stand_in.name),
            to: wrapper.clone(),
        });
    }
    nodes
}
