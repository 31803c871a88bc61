//! SELinux: a flat CIL module, its sources for those who build with a reference policy, file contexts,
//! and a script that installs all of it and takes it back.
//!
//! `gosandbox_t` is the domain of the go command, `gosandbox_program_t` that of what it builds and
//! `gosandbox_launched_t` of what it builds inside the launcher, which has a loopback, with types of their own for GOROOT, the caches, the work tree and temporary files. Every transition is allowed
//! under no_new_privs too: without that the kernel leaves the process where it was, and says nothing.

mod base;
mod cages;
mod cil;
mod contexts;
mod edges;
mod names;
mod policy;
mod script;
mod statement;
mod te;

use super::matching::{Fit, Point};
use super::{Artifact, Backend, Error, Model};

/// The backend.
#[derive(Debug)]
pub struct Selinux;

impl Backend for Selinux {
    fn format(&self) -> &'static str {
        "selinux"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["te"]
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::GorootUnwritable
            | Point::CachesUnpoisonable
            | Point::ProtectedThere
            | Point::Processes
            | Point::Capabilities => Fit::Exact,
            Point::SecretsUnreadable => Fit::Wider(
                "what the system's policy lets every domain read, and files of type etc_t and usr_t",
            ),
            Point::Named => Fit::Narrower(
                "what has a label of its own keeps it; where that refuses, give the path gosandbox_work_t or gosandbox_goroot_t",
            ),
            Point::WorkOfOthers => {
                Fit::Wider("a test may add files to all of $WORK, and changes none that is there")
            }
            Point::ProtectedMissing => Fit::Wider("a file of another name can be renamed to one"),
            Point::Testdata => Fit::Wider("the testdata of every package"),
            Point::Executables => Fit::Wider(
                "every program of type bin_t, compilers too, and of a container's image in the go command's own domain; Landlock names them one by one",
            ),
            Point::ToolNetwork => Fit::Narrower(
                "no socket; the boolean gosandbox_tool_network opens TCP to every address",
            ),
            Point::ProgramLoopback => Fit::Narrower(
                "none but inside the launcher: what holds a socket to a loopback is its network namespace, SELinux checks a connection's port alone",
            ),
            Point::AllowedHosts => Fit::Wider("every address by TCP: SELinux knows no names"),
            Point::Services | Point::Published => {
                Fit::Narrower("none but inside the launcher, which serves them")
            }
            Point::UnixSockets => Fit::Exact,
            Point::SetId => Fit::Missing("seccomp refuses modes with set-id bits"),
            Point::Namespaces => {
                Fit::Missing("user namespaces have a class since Linux 6.2; seccomp refuses them")
            }
            Point::SystemCalls => Fit::Missing("seccomp"),
            Point::Metadata => Fit::Exact,
            Point::PrivateTemporary => Fit::Exact,
            Point::Environment => Fit::Missing("the launcher"),
            Point::Limits => Fit::Missing("the launcher, a cgroup"),
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        let header = model.header(self);
        let statements = policy::statements(model);
        let contexts = contexts::contexts(model)?;
        let labels = Artifact::file(
            "gosandbox.fcontext",
            contexts::semanage(&header, &contexts, &model.site.home),
        );
        if model.form.as_deref() == Some("te") {
            return Ok(vec![
                Artifact::file("gosandbox.te", te::module(&header, &statements)),
                Artifact::file("gosandbox.if", te::interfaces(&header)),
                Artifact::file("gosandbox.fc", contexts::reference(&header, &contexts)),
                labels,
            ]);
        }
        Ok(vec![
            Artifact::file(
                "gosandbox.cil",
                cil::module(&header, &statements, &contexts),
            ),
            labels,
            Artifact::script("install", script::install(&header, &contexts)),
        ])
    }
}
