//! Landlock: a domain from the plan's rules, for the ABI that kernel and crate share.

use std::os::fd::{BorrowedFd, OwnedFd};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{self, FileType};
use rustix::io::Errno;

use super::{Context, Error, open_without_links};
use crate::plan;
use crate::policy::{Access, Layer};

/// Puts the domain in force for this thread, which is the only one.
pub fn restrict(ruleset: &plan::Ruleset) -> Result<(), Error> {
    let mut domain = Domain::new(ruleset)?;
    domain.grant(&ruleset.rules)?;
    domain.enter()
}

/// A domain in the making. Its ruleset is a descriptor: after a fork both processes add to the same.
#[derive(Debug)]
pub struct Domain {
    created: landlock::RulesetCreated,
    abi: ABI,
}

impl Domain {
    /// One that grants nothing yet.
    ///
    /// All rights, and from ABI 6 on the scopes for signals and abstract unix sockets, are handled as
    /// hard requirements: what the kernel said it has must be had.
    pub fn new(ruleset: &plan::Ruleset) -> Result<Domain, Error> {
        let abi = ABI::from(ruleset.abi);
        let created = create(abi, ruleset.refuse_tcp)
            .map_err(std::io::Error::other)
            .during(Layer::Landlock, || {
                format!("make a Landlock ruleset of ABI {abi:?}")
            })?;
        Ok(Domain { created, abi })
    }

    /// Grants what the rules say, of the files that are at their paths for this process.
    pub fn grant<'a>(
        &mut self,
        rules: impl IntoIterator<Item = &'a plan::Rule>,
    ) -> Result<(), Error> {
        for rule in rules {
            let Some(file) = open(rule).during(Layer::Landlock, || {
                format!("open {} for its rule", rule.path.display())
            })?
            else {
                continue;
            };
            let mut rights = rights(rule.access, self.abi);
            if !rule.links {
                rights.remove(AccessFs::MakeSym);
            }
            (&mut self.created)
                .add_rule(PathBeneath::new(file, rights))
                .map_err(std::io::Error::other)
                .during(Layer::Landlock, || {
                    format!("add the rule for {}", rule.path.display())
                })?;
        }
        Ok(())
    }

    /// Grants access to what is beneath an open folder.
    pub fn grant_open(&mut self, folder: BorrowedFd<'_>, access: Access) -> Result<(), Error> {
        (&mut self.created)
            .add_rule(PathBeneath::new(folder, rights(access, self.abi)))
            .map_err(std::io::Error::other)
            .during(Layer::Landlock, || {
                "add the rule for the staged work tree".into()
            })?;
        Ok(())
    }

    /// Puts it in force for this thread.
    pub fn enter(self) -> Result<(), Error> {
        self.created
            .restrict_self()
            .map_err(std::io::Error::other)
            .and_then(|status| match status.ruleset {
                RulesetStatus::NotEnforced => Err(Errno::OPNOTSUPP.into()),
                RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
            })
            .during(Layer::Landlock, || "enter the Landlock domain".into())
    }
}

/// For init, which makes socket files for processes inside: it can make them in these folders only,
/// whatever is exchanged underneath. What it starts is inside the same domain, and adds its own.
pub fn restrict_sockets(abi: i32, folders: &[std::path::PathBuf]) -> Result<(), Error> {
    // Whether files move from folder to folder is decided by any domain; not by this one.
    let refer = BitFlags::from(AccessFs::Refer) & AccessFs::from_all(ABI::from(abi));
    let folders = folders
        .iter()
        .map(|folder| plan::Rule::optional(folder, Access::Write));
    let folders: Vec<_> = folders
        .filter_map(|rule| open(&rule).ok().flatten())
        .filter(is_folder)
        .collect();
    let root = open_without_links("/".as_ref()).during(Layer::Landlock, || "open /".into())?;
    let enter = || -> Result<(), RulesetError> {
        let mut created = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(refer | AccessFs::MakeSock)?
            .create()?;
        if !refer.is_empty() {
            created = created.add_rule(PathBeneath::new(root, refer))?;
        }
        for folder in folders {
            created = created.add_rule(PathBeneath::new(folder, AccessFs::MakeSock))?;
        }
        created.restrict_self().map(drop)
    };
    enter()
        .map_err(std::io::Error::other)
        .during(Layer::Landlock, || "confine init's socket files".into())
}

fn create(abi: ABI, refuse_tcp: bool) -> Result<landlock::RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    if refuse_tcp && abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    // From here on only that a file takes no folder rights (EINVAL): the crate leaves them out. All rights
    // are handled, or there would be no ruleset.
    Ok(ruleset.create()?.set_compatibility(CompatLevel::BestEffort))
}

/// The rights that an access stands for.
fn rights(access: Access, abi: ABI) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let rights = match access {
        Access::List => AccessFs::ReadDir.into(),
        Access::Read => read,
        Access::Execute => read | AccessFs::Execute,
        // Devices are not created: nothing here has CAP_MKNOD, and the filter refuses mknod of them.
        Access::Write => {
            AccessFs::from_all(abi)
                & !(AccessFs::Execute | AccessFs::MakeBlock | AccessFs::MakeChar)
        }
        Access::WriteExecute => {
            AccessFs::from_all(abi) & !(AccessFs::MakeBlock | AccessFs::MakeChar)
        }
    };
    rights & AccessFs::from_all(abi)
}

/// Opens the object of a rule without following links.
fn open(rule: &plan::Rule) -> Result<Option<OwnedFd>, Errno> {
    match open_without_links(&rule.path) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT) if rule.optional => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn is_folder(file: &OwnedFd) -> bool {
    fs::fstat(file).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}
