//! AppArmor profiles: one for the tool cage, which every process starts in, and one for programs and
//! one for tests, entered at exec.
//!
//! Under no_new_privs a process may only go on to a narrower label, so that programs are entered by
//! stacking (`tool//&tool//program`): both profiles hold from then on. Nothing is ever unconfined.

mod denials;
mod path;
mod profile;

use super::matching::{Fit, Point};
use super::{Artifact, Backend, Error, Model};

/// The backend.
#[derive(Debug)]
pub struct AppArmor;

/// Name of the profile that the launcher switches to, inside its namespaces.
pub const LAUNCHED: &str = "gosandbox";
/// Name of the profile that stands alone, for aa-exec and container runtimes.
pub const ALONE: &str = "gosandbox-alone";
/// Name of the profile of the launcher's own executable.
pub const LAUNCHER: &str = "gosandbox-launcher";

/// Which version of the language a profile is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abi {
    /// AppArmor 3 (Debian 12, Ubuntu 22.04).
    V3,
    /// AppArmor 4 (Debian 13, Ubuntu 24.04): user namespaces and message queues too.
    V4,
    /// AppArmor 5: io_uring's kernel thread and credentials of others too.
    V5,
}

impl Backend for AppArmor {
    fn format(&self) -> &'static str {
        "apparmor"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["attached"]
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::GorootUnwritable
            | Point::CachesUnpoisonable
            | Point::ProtectedThere
            | Point::Named
            | Point::Capabilities => Fit::Exact,
            Point::SecretsUnreadable => Fit::Wider(
                "names, command lines and states of the same user's processes in /proc, where there is no pid namespace",
            ),
            Point::WorkOfOthers => {
                Fit::Wider("a test may write all of $WORK; Landlock keeps it to its own part")
            }
            Point::ProtectedMissing => {
                Fit::Narrower("they cannot be made at any depth of the tree")
            }
            Point::Testdata => Fit::Wider("the testdata of every package"),
            Point::Executables => {
                Fit::Narrower("what is not GOROOT's own leaves the tool cage for the program cage")
            }
            Point::ToolNetwork => Fit::Narrower(
                "standing alone it has no network: fetch modules first, or use the launcher",
            ),
            Point::ProgramLoopback => {
                Fit::Narrower("standing alone programs have no network, not even a loopback")
            }
            Point::AllowedHosts => Fit::Wider("every address by TCP: AppArmor knows no names"),
            Point::Services | Point::Published => Fit::Narrower(
                "standing alone programs have no network; in the launcher it serves them",
            ),
            Point::UnixSockets => Fit::Wider(
                "before Linux 6.17 and outside Ubuntu only sockets with a path are told apart",
            ),
            Point::Processes => Fit::Exact,
            Point::SetId => Fit::Missing("seccomp refuses modes with set-id bits"),
            Point::Namespaces => {
                Fit::Missing("user namespaces are told apart from abi 4.0 on; seccomp refuses them")
            }
            Point::SystemCalls => Fit::Missing("seccomp"),
            Point::Metadata => Fit::Exact,
            Point::PrivateTemporary => {
                Fit::Wider("/tmp is shared, and only one's own files in it can be used")
            }
            Point::Environment => Fit::Missing("the launcher"),
            Point::Limits => Fit::Missing("the launcher, a cgroup"),
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        let file = |name: &str, text: String| Artifact::file(name, text);
        Ok(vec![
            file("gosandbox", profile::file(model, self, Abi::V3)?),
            file("gosandbox.abi-4.0", profile::file(model, self, Abi::V4)?),
            file("gosandbox.abi-5.0", profile::file(model, self, Abi::V5)?),
            file("gosandbox-launcher", profile::launcher(model, self)?),
        ])
    }
}
