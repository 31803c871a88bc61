//! What is fetched before the command runs, in the tool cage: modules of a command that has no
//! network itself, and toolchains.

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::Context;
use rustix::fs::{Dir, FileType, Mode, OFlags};

use super::captured::captured;
use super::errand::Errand;
use super::identity::{self, Who};
use super::plan::Prepared;
use super::{Project, Session, verify, way};
use crate::go::select::SelectError;
use crate::go::toolchain::Toolchain;
use crate::go::workspace::Workspace;
use crate::go::{directives, missing};
use crate::host::Host;
use crate::refusal::Refused;

/// Fetches the project's modules for a command that runs without any network. What cannot be fetched
/// the command may still do without.
pub(super) fn missing(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    toolchain: &Toolchain,
) -> anyhow::Result<()> {
    let Project {
        session,
        workspace,
        policy,
        ..
    } = *project;
    if !way::has_upstreams(policy) || !prepared.is_offline() {
        return Ok(());
    }
    let Some(module) = missing::first(workspace, prepared.module_cache()) else {
        return Ok(());
    };
    let download = Errand {
        project: *project,
        who: prepared.who().clone(),
        toolchain,
        words: match prepared.leaves_modules_writable() {
            true => &["mod", "download", "-modcacherw"],
            false => &["mod", "download"],
        },
        cgo: false,
    };
    let status = match way::can(host) {
        Ok(()) => match download.run(host) {
            Ok(0) => return Ok(()),
            Ok(status) => format!("go mod download ended with status {status}"),
            Err(error) => format!("{error:#}"),
        },
        Err(reason) => format!("there is no network inside here ({reason})"),
    };
    session.console.warn(&format!(
        "the command runs without modules such as {module}: {status}"
    ));
    Ok(())
}

/// Fetches the packages that directives of `go generate` run by their versions. What cannot be fetched the command may
/// still do without.
pub(super) fn of_directives(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    toolchain: &Toolchain,
) {
    let Project {
        session,
        workspace,
        policy,
        ..
    } = *project;
    let is_generate = prepared.go().is_some_and(|go| go.subcommand == "generate");
    if !is_generate || !way::has_upstreams(policy) || way::can(host).is_err() {
        return;
    }
    for package in directives::versioned(&workspace.root) {
        if missing::has_package(prepared.module_cache(), &package) {
            continue;
        }
        let errand = Errand {
            project: *project,
            who: prepared.who().clone(),
            toolchain,
            // It loads the package and all that it needs. What it would run it only says.
            words: &["run", "-n", &package],
            cgo: false,
        };
        let failed = match captured(|| errand.run(host)) {
            Ok(said) if said.status == 0 => continue,
            Ok(said) => said.stderr.lines().last().unwrap_or_default().to_owned(),
            Err(error) => format!("{error:#}"),
        };
        let (path, version) = package.split_once('@').unwrap_or((&package, "latest"));
        session.console.warn(&format!(
            "cannot fetch {package}, which a directive runs: {failed}; a tool of the module is fetched and verified with \
             it: go get -tool {path}@{version}, then go tool {}",
            path.rsplit('/').next().unwrap_or(path)
        ));
    }
}

/// Fetches a toolchain, which go checks against the checksum database whatever its settings say.
///
/// # Errors
/// It cannot be fetched.
pub(super) fn toolchain(
    project: &Project<'_>,
    host: &mut Host,
    who: &Who,
    found: &Toolchain,
    module: &str,
    absent: SelectError,
) -> anyhow::Result<()> {
    let Project {
        session, policy, ..
    } = *project;
    let reason = if session.request.dry_run {
        Some("a dry run fetches nothing".to_owned())
    } else if !way::has_upstreams(policy) {
        Some(format!("profile {} has no upstream", policy.name))
    } else {
        let no = way::can(host).err();
        no.map(|reason| format!("there is no network inside here ({reason})"))
    };
    if let Some(reason) = reason {
        return Err(unfetched(&absent, &reason).into());
    }
    match download(project, host, who, found, module)? {
        0 => Ok(()),
        status => {
            let reason = format!("go mod download ended with status {status}");
            Err(unfetched(&absent, &reason).into())
        }
    }
}

fn unfetched(absent: &SelectError, reason: &str) -> Refused {
    let text = format!("{absent} and cannot be fetched: {reason}");
    Refused::of(absent).saying(text)
}

/// Has the go command at hand download a toolchain, or look up one that is in the sandbox user's module
/// cache: either way it compares the zip's hash with the checksum database, whatever its settings say.
/// Its exit status.
pub(super) fn download(
    project: &Project<'_>,
    host: &mut Host,
    who: &Who,
    found: &Toolchain,
    module: &str,
) -> anyhow::Result<i32> {
    let session = project.session;
    // Where no go.mod asks for a newer Go than the one that fetches.
    let session = Session {
        folder: "/".into(),
        run: session.run.clone(),
        host: session.host.clone(),
        environment: session.environment.clone(),
        written: session.written.clone(),
        home: session.home.clone(),
        held: Default::default(),
        ..*session
    };
    let nowhere = Workspace {
        root: "/".into(),
        none: true,
        ..Workspace::default()
    };
    let mut policy = project.policy.clone();
    if who.identity.switch {
        policy.identity.user = Some(format!("{}:{}", who.identity.uid, who.identity.gid));
    }
    let alone = Project {
        session: &session,
        workspace: &nowhere,
        policy: &policy,
        ..*project
    };
    let download = Errand {
        project: alone,
        who: identity::choose(&session, &policy, None)?,
        toolchain: found,
        words: &["mod", "download", module],
        cgo: false,
    };
    download.run(host)
}

/// Lets the programs of a fetched toolchain be executed: modules are extracted without that right, and
/// the go command gives it when it changes to one. In a module cache that others than root can write, the sandbox user does.
///
/// # Errors
/// The right cannot be given.
pub(super) fn make_executable(who: &Who, goroot: &Path) -> anyhow::Result<()> {
    verify::theirs(who, goroot, || {
        permit_all(goroot).with_context(|| {
            format!(
                "cannot make the programs in {} executable",
                goroot.display()
            )
        })
    })
}

/// Those in `bin` and in the folders of `pkg/tool`.
fn permit_all(goroot: &Path) -> std::io::Result<()> {
    let top = rustix::fs::open(goroot, FOLDER, Mode::empty())?;
    permit(&rustix::fs::openat(&top, "bin", FOLDER, Mode::empty())?)?;
    let Ok(tools) = rustix::fs::openat(&top, "pkg", FOLDER, Mode::empty())
        .and_then(|package| rustix::fs::openat(&package, "tool", FOLDER, Mode::empty()))
    else {
        return Ok(());
    };
    for platform in Dir::read_from(&tools)? {
        let platform = platform?;
        if !platform.file_name().to_bytes().starts_with(b".") {
            permit(&rustix::fs::openat(
                &tools,
                platform.file_name(),
                FOLDER,
                Mode::empty(),
            )?)?;
        }
    }
    Ok(())
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn permit(folder: &OwnedFd) -> std::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let file = rustix::fs::openat(folder, entry.file_name(), flags, Mode::empty())?;
        let found = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile {
            let mode = Mode::from_raw_mode(found.st_mode & 0o777 | 0o111);
            rustix::fs::fchmod(&file, mode)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn modes_are_given_in_the_toolchain_and_behind_no_link() {
        let base = tempfile::tempdir().unwrap();
        let (goroot, other) = (base.path().join("go"), base.path().join("other"));
        for folder in [
            &goroot.join("bin"),
            &goroot.join("pkg/tool/linux_amd64"),
            &other,
        ] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("program"), "").unwrap();
            fs::set_permissions(folder.join("program"), Permissions::from_mode(0o644)).unwrap();
        }
        permit_all(&goroot).unwrap();
        for folder in ["bin", "pkg/tool/linux_amd64"] {
            assert_eq!(mode(&goroot.join(folder).join("program")), 0o755);
        }
        // A set-id bit would be lost.
        fs::set_permissions(other.join("program"), Permissions::from_mode(0o4644)).unwrap();
        fs::remove_dir_all(goroot.join("bin")).unwrap();
        symlink(&other, goroot.join("bin")).unwrap();
        assert!(permit_all(&goroot).is_err());
        fs::remove_file(goroot.join("bin")).unwrap();
        fs::create_dir(goroot.join("bin")).unwrap();
        symlink(other.join("program"), goroot.join("bin/go")).unwrap();
        assert!(permit_all(&goroot).is_err());
        assert_eq!(mode(&other.join("program")), 0o4644);
        // By its path it is changed.
        fs::set_permissions(goroot.join("bin/go"), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(mode(&other.join("program")), 0o755);
    }
}
