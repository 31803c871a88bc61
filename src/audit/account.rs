//! What the account can do beyond its own files: groups, sudo, sockets.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Found;
use super::machine::{Machine, Report, Who};
use crate::files::look;
use crate::finding::FindingCode;

/// Groups whose members can become root, and how.
const LIKE_ROOT: [(&str, &str); 11] = [
    ("docker", "a member starts a container that mounts /"),
    ("podman", "a member starts a container that mounts /"),
    ("lxd", "a member starts a container that mounts /"),
    ("lxc", "a member starts a container that mounts /"),
    ("incus-admin", "a member starts a container that mounts /"),
    (
        "libvirt",
        "a member starts a machine with any of the host's disks",
    ),
    (
        "disk",
        "a member reads and writes the disks beneath the file systems",
    ),
    ("shadow", "a member reads the hashes of passwords"),
    ("kmem", "a member reads the kernel's memory"),
    ("root", "many of root's files are the group's, too"),
    ("wheel", "a member may become root"),
];

/// Sockets of the system's that give it away.
const SOCKETS: [(&str, &str); 6] = [
    (
        "/var/run/docker.sock",
        "whoever can write to it starts a container that mounts /",
    ),
    (
        "/run/podman/podman.sock",
        "whoever can write to it starts a container that mounts /",
    ),
    (
        "/run/containerd/containerd.sock",
        "whoever can write to it starts a container that mounts /",
    ),
    (
        "/var/lib/lxd/unix.socket",
        "whoever can write to it starts a container that mounts /",
    ),
    (
        "/var/lib/incus/unix.socket",
        "whoever can write to it starts a container that mounts /",
    ),
    (
        "/run/libvirt/libvirt-sock",
        "whoever can write to it starts a machine with any disk",
    ),
];

/// Looks at the account.
pub(super) fn examine(machine: &Machine, report: &Report) {
    if machine.who.uid != 0 {
        groups(machine, report);
    }
    sudo(machine, report);
    sockets(machine, report);
}

fn groups(machine: &Machine, report: &Report) {
    for (_, line) in report.lines(machine, Path::new("/etc/group")) {
        let mut fields = line.split(':');
        let (Some(name), Some(gid)) = (fields.next(), fields.nth(1)) else {
            continue;
        };
        let is_member = gid
            .parse()
            .is_ok_and(|gid| machine.who.groups.contains(&gid));
        if let Some((_, how)) = LIKE_ROOT
            .iter()
            .find(|(like, _)| *like == name && is_member)
        {
            let message = format!("you are in group {name}: {how}");
            report.add(Found::about(FindingCode::GroupLikeRoot, name, message));
        }
    }
}

/// sudo's own files, where the caller may read them.
fn sudo(machine: &Machine, report: &Report) {
    let mut files = vec![PathBuf::from("/etc/sudoers")];
    files.extend(report.files(machine, Path::new("/etc/sudoers.d"), ""));
    for file in files {
        for (line, text) in report.lines(machine, &file) {
            let text = text.trim();
            let is_rule = !text.starts_with('#') && text.contains('=');
            if is_rule && text.contains("NOPASSWD:") {
                let who = text
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let message = format!("lets {who} run commands as root without a password");
                let mut found =
                    Found::at(FindingCode::SudoWithoutPassword, &file, Some(line), message);
                found.subject = who;
                report.add(found);
            }
        }
    }
}

fn sockets(machine: &Machine, report: &Report) {
    let uid = machine.who.uid;
    let mut all: Vec<(PathBuf, &str)> = SOCKETS
        .iter()
        .map(|(path, why)| (PathBuf::from(path), *why))
        .collect();
    let containers = "whoever can write to it starts containers with your files";
    let runtime = PathBuf::from(format!("/run/user/{uid}"));
    all.push((runtime.join("docker.sock"), containers));
    all.push((runtime.join("podman/podman.sock"), containers));
    let session = "whoever can write to it starts programs by your session, outside any cage";
    all.push((runtime.join("bus"), session));
    all.push((runtime.join("systemd/private"), session));
    let keys = "whoever can write to it signs and logs in with your keys";
    all.extend(
        machine
            .variable("SSH_AUTH_SOCK")
            .map(|path| (PathBuf::from(path), keys)),
    );
    all.push((runtime.join("gnupg/S.gpg-agent"), keys));
    all.extend(
        machine
            .home()
            .map(|home| (home.join(".gnupg/S.gpg-agent"), keys)),
    );
    for (path, why) in all {
        let there = machine.at(&path);
        let Ok(found) = look::metadata(&there) else {
            continue;
        };
        // As root every socket is; what counts is what an ordinary user's programs reach.
        if found.file_type().is_socket() && uid != 0 && may_write(&machine.who, &found) {
            report.add(Found::at(
                FindingCode::SocketWithinReach,
                &path,
                None,
                format!("is within reach: {why}"),
            ));
        }
    }
}

/// Whether the mode lets the account write.
fn may_write(who: &Who, found: &Metadata) -> bool {
    let bit = match () {
        () if found.uid() == who.uid => 0o200,
        () if found.gid() == who.gid || who.groups.contains(&found.gid()) => 0o020,
        () => 0o002,
    };
    found.mode() & bit != 0
}
