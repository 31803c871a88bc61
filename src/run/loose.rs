//! A Go that other users could change: refused, verified or let run, as the profile says.
//!
//! What was verified must be what runs. So it is copied into a folder that only the launcher's user can write, the copy
//! is compared with the published release, and the copy runs: shown at the place of the Go that was found, so that go
//! records the same paths. It is kept, and used again for as long as the Go that was found does not change.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fchmod, mkdirat, openat, renameat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::verify::Record;
use super::{Project, Session, cache, caches, copy, scratch, token, way};
use crate::files::look;
use crate::gateway::ChecksumDatabase;
use crate::go::sumdb::Verifier;
use crate::go::toolchain::{self, Choice, Toolchain, ToolchainError};
use crate::go::trust::{Trust, Untrusted};
use crate::go::{dirhash, release, select};
use crate::host::Host;
use crate::launch::remove;
use crate::policy::Loose;
use crate::refusal::{Code, Refuse, Refused, shell_path};

/// What others could change of a Go that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The Go, at its place.
    pub toolchain: Toolchain,
    /// Each part on the way to it that others could change, the widest first.
    pub open: Vec<Untrusted>,
}

/// Finds the Go that a choice names, whoever could change it.
///
/// # Errors
/// There is none.
pub(super) fn find(choice: &Choice<'_>) -> Result<Found, ToolchainError> {
    let noted = RefCell::default();
    let discovered = toolchain::discover(&Choice {
        trust: choice.trust.noting(&noted),
        ..*choice
    });
    let mut open: Vec<Untrusted> = noted.take();
    open.sort_by(|a, b| a.path().cmp(b.path()));
    open.dedup_by(|a, b| a.path() == b.path());
    let toolchain = match discovered {
        Ok(toolchain) => toolchain,
        // What others could have put there need not be looked at further.
        Err(_) if !open.is_empty() => {
            let source = open.remove(0);
            let path = source.path().to_owned();
            return Err(ToolchainError::Untrusted { path, source });
        }
        Err(error) => return Err(error),
    };
    Ok(Found { toolchain, open })
}

impl Found {
    /// Whether nobody else could change it.
    pub fn is_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// In words: the first part, and how many there are.
    pub fn why(&self) -> String {
        let more = match self.open.len() {
            0 | 1 => String::new(),
            count => format!("; and so are {} others of its files and folders", count - 1),
        };
        let first = self.open.first().map(ToString::to_string);
        format!("{}{more}", first.unwrap_or_default())
    }

    /// The refusal, with the one command that closes all of it.
    pub fn refuse(&self, why_not: &str) -> Refused {
        let goroot = self.toolchain.goroot.display();
        let text = format!(
            "cannot use the Go in {goroot}: other users could change it: {}{why_not}",
            self.why()
        );
        let code = self.open.first().map_or(Code::GorootWritable, Refuse::code);
        let refused = Refused::new(code, text);
        let refused = self.command().into_iter().fold(refused, Refused::words);
        refused
            .option("--goroot /usr/local/go")
            .profile("toolchain.loose = \"allow\"")
    }

    /// The command that closes it. There is none where another user owns a part of it: what that user has put there
    /// is no better for another owner.
    pub fn command(&self) -> Option<String> {
        let goroot = &self.toolchain.goroot;
        if self
            .open
            .iter()
            .any(|one| matches!(one, Untrusted::Owner { .. }))
        {
            return None;
        }
        let paths = self.open.iter().map(Untrusted::path);
        let (within, above): (Vec<_>, Vec<_>) = paths.partition(|path| path.starts_with(goroot));
        let above: Vec<_> = above.into_iter().map(shell_path).collect();
        let mut commands = Vec::new();
        if !above.is_empty() {
            commands.push(format!("chmod go-w {}", above.join(" ")));
        }
        if !within.is_empty() {
            commands.push(format!("chmod -R go-w {}", shell_path(goroot)));
        }
        Some(commands.join(" && "))
    }

    /// What is said of it in a line, with what closes it.
    fn in_words(&self) -> String {
        let closes = self.command().map(|it| format!(" ({it} closes it)"));
        format!("{}{}", self.why(), closes.unwrap_or_default())
    }
}

/// The Go that a run outside a project would use, and what is to be said of it.
///
/// # Errors
/// There is none that can be used.
pub fn here() -> Result<String, String> {
    let host = Host::probe();
    let path = std::env::var_os("PATH");
    let found = find(&Choice {
        goroot: None,
        path: path.as_deref(),
        trust: Trust::new(host.uid, host.gid),
        work_tree: None,
    });
    let found = found.map_err(|error| error.to_string())?;
    let Toolchain {
        version, goroot, ..
    } = &found.toolchain;
    let name = format!("go{version} in {}", goroot.display());
    match found.is_closed() {
        true => Ok(format!("{name}; nobody else could change it")),
        false => Ok(format!(
            "{name}; runs use a verified copy, since other users could change it: {}",
            found.in_words()
        )),
    }
}

/// GOROOT of the Go that a PATH leads to, whoever could change it: each run judges it.
///
/// # Errors
/// There is none.
pub fn goroot_in(path: Option<&std::ffi::OsStr>) -> anyhow::Result<PathBuf> {
    let host = Host::probe();
    let found = find(&Choice {
        goroot: None,
        path,
        trust: Trust::new(host.uid, host.gid),
        work_tree: None,
    })?;
    Ok(found.toolchain.goroot)
}

/// What runs instead of a Go that others could change, or the Go itself.
///
/// # Errors
/// The profile refuses it, or it is not the published one.
pub(super) fn settle(
    project: &Project<'_>,
    found: Found,
    may_fetch: bool,
) -> anyhow::Result<Toolchain> {
    let console = project.session.console;
    let goroot = found.toolchain.goroot.display().to_string();
    match project.policy.toolchain.loose {
        _ if found.is_closed() => Ok(found.toolchain),
        Loose::Refuse => Err(found.refuse("").into()),
        Loose::Allow => {
            let why = found.why();
            console.warn(&format!(
                "other users could change the Go in {goroot}: {why}"
            ));
            Ok(found.toolchain)
        }
        Loose::Verify if !may_fetch => {
            let why = "; what is generated names the Go itself, and not a copy of it";
            Err(found.refuse(why).into())
        }
        Loose::Verify => {
            let copy = verified(project, &found)?;
            console.warn(&format!(
                "a verified copy of the Go in {goroot} runs, since other users could change it: {}",
                found.in_words()
            ));
            Ok(copy)
        }
    }
}

/// The kept copy of a Go, if it is the published one. A dry run makes none.
pub(super) fn verified(project: &Project<'_>, found: &Found) -> anyhow::Result<Toolchain> {
    let session = project.session;
    let seen = &found.toolchain;
    let version = seen.version.as_str();
    select::check_range(
        &seen.version,
        &format!("the Go in {}", seen.goroot.display()),
        project.policy.modules.toolchains.as_ref(),
    )?;
    let not = |why: String| found.refuse(&format!("; it cannot be verified: {why}"));
    let fingerprint = dirhash::fingerprint_of(&seen.goroot, &|name| {
        release::published(name).is_some() || release::is_searched(name)
    })
    .map_err(|error| not(error.to_string()))?;
    let tree = project.tree();
    let (folder, path) = folder(session, tree)
        .ok_or_else(|| not("there is no folder for a copy: give --cache-dir DIR".to_owned()))?;
    let record = Record::open(session, &seen.goroot, &project.workspace.root);
    let noted = record
        .as_ref()
        .and_then(|record| record.read(session.host.uid));
    let known = noted.and_then(|text| {
        text.strip_prefix(&format!("{fingerprint} "))
            .map(str::to_owned)
    });
    let known = known.filter(|name| look::exists(path.join(name).join("bin/go")));
    let name = match known {
        Some(name) => name,
        None if session.request.dry_run => return Ok(seen.clone()),
        None => {
            let sum = published(project, version).map_err(not)?;
            let digest = crate::text::hex(&Sha256::digest(&sum)[..8]);
            let name = format!("go{version}-{digest}");
            make(&folder, seen, &name, &sum).map_err(|why| not(format!("{why:#}")))?;
            // Without it the next run compares again.
            let text = format!("{fingerprint} {name}");
            let _written = record.map(|record| record.write(&text));
            name
        }
    };
    let held = cache::hold(&folder, &name);
    let held = held.map(|(held, _)| held);
    session.held.borrow_mut().extend(held);
    let place = path.join(name);
    let copy = toolchain::open(&place.join("bin/go"), &session.trust())?;
    Ok(copy.shown_at(&seen.goroot))
}

/// Within the launcher's caches.
pub(super) const COPIES: &str = "toolchains";

/// The folder of copies, out of reach of what runs inside.
fn folder(session: &Session<'_>, tree: Option<&Path>) -> Option<(OwnedFd, PathBuf)> {
    let path = caches::launchers(session)?;
    // As root the sandbox user is another one, who reads it.
    let mode = if session.host.is_root() { 0o755 } else { 0o700 };
    let step = token::open_with(&path.join(COPIES), mode)?;
    let is_in_tree = tree.is_some_and(|tree| step.real().starts_with(tree));
    let opened = (!is_in_tree).then(|| step.open_folder().ok()).flatten()?;
    Some((opened, step.real().to_owned()))
}

/// The hash of the published release.
fn published(project: &Project<'_>, version: &str) -> Result<String, String> {
    let policy = project.policy;
    if !way::has_upstreams(policy) {
        return Err(format!("profile {} has no upstream", policy.name));
    }
    let verifier = Verifier::parse(policy.modules.gosumdb()).map_err(|error| error.to_string())?;
    let config = way::config(project.session, policy, "unused".to_owned());
    let database = ChecksumDatabase::new(config).map_err(|error| error.to_string())?;
    let sum = verifier.sum(&release::module(version), &|path| database.get(path));
    sum.map_err(|error| error.to_string())
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Copies a Go, compares the copy with the published hash, and gives it its name.
fn make(folder: &OwnedFd, seen: &Toolchain, name: &str, sum: &str) -> anyhow::Result<()> {
    let from = look::open_in_place(&seen.goroot)?;
    let new = format!("new-{}", scratch::unguessable()?);
    mkdirat(folder, &new, Mode::RWXU)?;
    let made = (|| -> anyhow::Result<()> {
        let to = openat(folder, &new, FOLDER, Mode::empty())?;
        // For as long as it is made.
        let _held = cache::hold(folder, &new);
        let copied = copy::copy(from.as_fd(), to.as_fd())?;
        compare(&to, copied, seen.version.as_str(), sum)?;
        fchmod(&to, Mode::from_raw_mode(0o755))?;
        match renameat(folder, &new, folder, name) {
            // A run beside this one was first.
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            renamed => Ok(renamed?),
        }
    })();
    remove::tree(folder.as_fd(), new.as_ref());
    made
}

/// Distributors and images change settings of `go.env`: the published ones count.
fn compare(to: &OwnedFd, copied: copy::Copied, version: &str, sum: &str) -> anyhow::Result<()> {
    let module = release::module(version);
    let copy::Copied {
        mut digests,
        settings,
    } = copied;
    let found = dirhash::summary(&digests, &module);
    if found == sum {
        return Ok(());
    }
    let original = release::original_settings(&settings);
    if let Some(digest) = digests.get_mut("go.env")
        && original != settings
    {
        *digest = copy::set_settings(to.as_fd(), &original)?;
        if dirhash::summary(&digests, &module) == sum {
            return Ok(());
        }
    }
    let text = format!("its hash is {found}, and that of the published go{version} is {sum}");
    Err(anyhow::anyhow!(text))
}
