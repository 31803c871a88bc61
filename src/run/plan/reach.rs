//! What the sandbox user can reach where no mount view shows it anything.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::what::What;
use super::Prepared;
use crate::files::look;
use crate::plan::Identity;
use crate::plan::inputs::Project;
use crate::policy::places::NO_CACHE;
use crate::refusal::{Code, Refused, shell_path};

impl Prepared<'_> {
    /// Without a mount view the sandbox user walks the host's own folders, with its own rights, and
    /// root's files are root's.
    pub(super) fn reach_without_view(&self, project: &mut Project) -> anyhow::Result<()> {
        let identity = &self.who.identity;
        project.proxy_folders.retain(|path| reaches(identity, path));
        let must =
            project
                .tree
                .iter()
                .chain([&project.goroot, &project.gocache, &project.gomodcache]);
        for path in must.filter(|path| *path != Path::new(NO_CACHE)) {
            if !reaches(identity, path) {
                let text = format!(
                    "cannot reach {} as user {}: a folder on the way to it is closed to others, and without \
                     namespaces it cannot be shown elsewhere",
                    path.display(),
                    identity.uid
                );
                return Err(Refused::new(Code::PathUnreachable, text)
                    .words(open_the_way(identity, path))
                    .into());
            }
        }
        let writes = matches!(&self.what, What::Go(go) if go.writes_tree);
        if let (true, Some(tree)) = (
            writes,
            project
                .tree
                .iter()
                .find(|tree| project.mapped.contains(tree)),
        ) {
            let text = format!(
                "cannot let user {} write {}, which belongs to root: that takes an id-mapped mount, and mounts are \
                 refused here",
                identity.uid,
                tree.display()
            );
            return Err(Refused::new(Code::TreeOfRoot, text)
                .words(format!("chown -R {} {}", identity.uid, shell_path(tree)))
                .into());
        }
        Ok(())
    }
}

/// Whether the sandbox user can walk to a path and open it for reading, by the permission bits.
fn reaches(identity: &Identity, path: &Path) -> bool {
    let mut above = path.ancestors().skip(1);
    above.all(|folder| reaches_in(identity, folder, 1)) && reaches_in(identity, path, 5)
}

fn reaches_in(identity: &Identity, path: &Path, bits: u32) -> bool {
    look::metadata(path).is_ok_and(|found| {
        let shift = match (found.uid() == identity.uid, found.gid() == identity.gid) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        found.mode() >> shift & bits == bits
    })
}

/// The command that lets the sandbox user walk to a path.
fn open_the_way(identity: &Identity, path: &Path) -> String {
    let is_closed = |folder: &&Path| !reaches_in(identity, folder, 1);
    let mut closed: Vec<_> = path.ancestors().skip(1).filter(is_closed).collect();
    closed.reverse();
    let closed: Vec<_> = closed.into_iter().map(shell_path).collect();
    match closed.is_empty() {
        true => format!("chmod o+rx {}", shell_path(path)),
        false => format!("chmod o+x {}", closed.join(" ")),
    }
}
