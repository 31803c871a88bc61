//! The second cage, put in force by the `-exec` wrapper for one program, from inside the first.
//!
//! The wrapper is already in the tool cage's Landlock domain and under its filter. It makes user,
//! mount and net namespaces of its own, so that the program has a loopback apart from the module
//! gateway's and cannot change modes, times or attributes on mounts that it may not write.

use std::path::Path;

use rustix::process;

use super::{
    Context, Error, capabilities, landlock, mandatory, namespaces, seccomp, self_check, view,
};
use crate::plan::{ProgramPlan, Ruleset};
use crate::policy::Layer;
use crate::sys::{self, Namespaces};

/// Confines this process; it executes the program next.
///
/// `ruleset` is the plan's with what depends on the program; `writable` are the mounts that stay
/// writable for it, where it gets no root of its own; `folder` is the one that it starts in.
/// `in_network` is done in the program's own net namespace, where it gets one, before
/// anything is given up.
pub fn restrict(
    plan: &ProgramPlan,
    ruleset: Option<&Ruleset>,
    writable: &[std::path::PathBuf],
    folder: &Path,
    in_network: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    if plan.nest {
        let (uid, gid) = (process::getuid().as_raw(), process::getgid().as_raw());
        // In a root of its own a program needs no mount namespace.
        let mounts = match plan.root {
            Some(_) => Namespaces::NONE,
            None => Namespaces::MOUNT,
        };
        sys::unshare(Namespaces::USER | Namespaces::NET | mounts)
            .during(Layer::Namespaces, || {
                "make namespaces for the program".into()
            })?;
        namespaces::map_to_self(uid, gid)?;
        namespaces::loopback_up()?;
        in_network()?;
        // Noted in /proc, which is read-only from here on.
        mandatory::switch(&plan.labels)?;
        match &plan.root {
            Some(root) => enter_root(root, folder)?,
            None => view::freeze(writable)?,
        }
        capabilities::drop_bounding_set(true)?;
        capabilities::clear()?;
    }
    capabilities::no_new_privs()?;
    if !plan.nest {
        mandatory::switch(&plan.labels)?;
    }
    if let Some(ruleset) = ruleset {
        landlock::restrict(ruleset)?;
    }
    seccomp::restrict_further(&plan.filter)?;
    self_check::run(&plan.checks)
}

/// Changes to the root of programs. Nothing keeps a way back: the capability is given up next, no
/// descriptor of a folder is open, and the current folder is inside.
fn enter_root(root: &Path, folder: &Path) -> Result<(), Error> {
    process::chroot(root).during(Layer::MountView, || {
        format!("change to the root of programs, {}", root.display())
    })?;
    process::chdir(folder).during(Layer::MountView, || {
        format!("enter {} in the staged work tree", folder.display())
    })
}
