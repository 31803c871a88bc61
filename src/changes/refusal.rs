//! Why changes are refused, with stable codes.

use serde::{Deserialize, Serialize};

/// Why a change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A protected name, or a path that the profile or the repository's configuration protects.
    ProtectedPath,
    /// The target of a symbolic link that has a protected name.
    ProtectedLinkTarget,
    /// A folder that holds something protected would be deleted or replaced.
    HoldsProtected,
    /// The folder would become a git repository.
    MakesRepository,
    /// The folder is a git repository.
    InsideRepository,
    /// A folder of the work tree that cannot be read.
    UnreadableFolder,
    /// A symbolic link whose target is outside the work tree.
    LinkLeavesTree,
    /// A symbolic link whose target is protected.
    LinkToProtected,
    /// A file with a set-user-id or set-group-id bit, or with file capabilities.
    SetIdFile,
    /// A device node.
    DeviceNode,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Refusal; 10] = [
        Refusal::ProtectedPath,
        Refusal::ProtectedLinkTarget,
        Refusal::HoldsProtected,
        Refusal::MakesRepository,
        Refusal::InsideRepository,
        Refusal::UnreadableFolder,
        Refusal::LinkLeavesTree,
        Refusal::LinkToProtected,
        Refusal::SetIdFile,
        Refusal::DeviceNode,
    ];

    /// The stable code of reports and the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::ProtectedPath => "protected-path",
            Refusal::ProtectedLinkTarget => "protected-link-target",
            Refusal::HoldsProtected => "holds-protected",
            Refusal::MakesRepository => "makes-repository",
            Refusal::InsideRepository => "inside-repository",
            Refusal::UnreadableFolder => "unreadable-folder",
            Refusal::LinkLeavesTree => "link-leaves-tree",
            Refusal::LinkToProtected => "link-to-protected",
            Refusal::SetIdFile => "set-id-file",
            Refusal::DeviceNode => "device-node",
        }
    }

    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::ProtectedPath => "the path is protected",
            Refusal::ProtectedLinkTarget => "a symbolic link with a protected name leads here",
            Refusal::HoldsProtected => "it holds something protected",
            Refusal::MakesRepository => "the folder would become a git repository",
            Refusal::InsideRepository => "the folder is a git repository",
            Refusal::UnreadableFolder => "the folder in the work tree cannot be read",
            Refusal::LinkLeavesTree => "the target of the link is outside the work tree",
            Refusal::LinkToProtected => "the target of the link is protected",
            Refusal::SetIdFile => "the file has a set-id bit or capabilities",
            Refusal::DeviceNode => "it is a device node",
        }
    }

    /// What the user can do.
    pub fn remedy(self) -> &'static str {
        match self {
            Refusal::ProtectedPath
            | Refusal::ProtectedLinkTarget
            | Refusal::HoldsProtected
            | Refusal::MakesRepository
            | Refusal::InsideRepository => {
                "look at it with `gosandbox changes show`, and make the change by hand if you want it"
            }
            Refusal::UnreadableFolder => "make the folder readable (chmod u+rx) and apply again",
            Refusal::LinkLeavesTree => {
                "have the program write a relative link whose target is in the work tree"
            }
            Refusal::LinkToProtected => "make the link by hand if you want it",
            Refusal::SetIdFile => "have the program leave out the set-id bits",
            Refusal::DeviceNode => "have the program make no device nodes in the work tree",
        }
    }
}
