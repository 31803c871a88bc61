//! The mount view of a plan: every grant at its own place, and nothing else.

use crate::policy::places::{OWN_FOLDER, OWN_MOUNT, PROGRAM_PLAN};
use std::path::{Path, PathBuf};

use super::compiler::{self, Part};
use super::folders::{own_folders, seed};
use super::grants::Programs;
use super::hidden::covers;
use super::inputs::{Error, Inputs, Link, Project};
use super::own::{OwnFiles, PROGRAM_ROOT, USUAL_TMP};
use super::system::{self, Account, Found, System};
use super::tree::Tree;
use super::{Node, Overlay, ProgramPlan, ProgramRoot, Rule, View, is_below, way};
use crate::files::look;
use crate::host::kernel;
use crate::policy::{Access, Cage, Policy};

/// The view: every granted path at its own place, and nothing else.
pub(super) fn view(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    (system, found): (System, &Found),
    grants: &[Rule],
    program: Option<(&Programs, &ProgramPlan)>,
    tree: &Tree,
) -> Result<View, Error> {
    let Inputs {
        identity, project, ..
    } = *inputs;
    let mut nodes = system_nodes(inputs, own, system, found);
    nodes.extend(own_folders(inputs, own));
    let programs = program.map(|(programs, _)| programs);
    nodes.extend(seed(inputs));
    let binds = Binds::of(inputs, own, system, (grants, programs), tree);
    nodes.extend(binds.nodes(inputs, tree));
    if project.tree.is_none() {
        // Where the command starts is there, and empty unless something is granted of it.
        nodes.push(Node::Folder {
            target: inputs.run.command.folder.clone(),
            mode: 0o755,
        });
    }
    nodes.extend(compiler::launcher(inputs, own));
    if let (Some((_, program)), Some(_)) = (program, &own.wrapper) {
        let content = serde_json::to_vec(program)?;
        nodes.push(Node::File {
            target: Path::new(OWN_FOLDER).join(PROGRAM_PLAN),
            content,
        });
    }
    nodes.extend(links(project, own, &nodes));
    nodes.extend(covers(inputs, &nodes));
    add_links(&mut nodes, &inputs.policy.files.links);
    let overlay = overlay(inputs);
    let programs = match (&overlay, program) {
        (Some(tree), Some((_, program))) => Some(ProgramRoot {
            path: PROGRAM_ROOT.into(),
            writable: program.writable_mounts.clone(),
            tree: tree.clone(),
            owner: (identity.uid, identity.gid),
        }),
        _ => None,
    };
    if programs.is_none() {
        // After the work tree's own mount, which has the same target.
        nodes.extend(overlay.map(Node::Staged));
    }
    let judged = project.judged.clone();
    let mut view = View {
        nodes,
        programs,
        judged,
    };
    view.sort();
    Ok(view)
}

/// The caller's links that lie where the view has nothing of its own: what a mount shows has its links.
fn links(project: &Project, own: &OwnFiles, nodes: &[Node]) -> Vec<Node> {
    let is_free = |link: &&Link| {
        let mut targets = nodes.iter().map(|node| (node, node.target()));
        !targets.any(|(node, target)| {
            is_below(target, &link.path) || is_mount(node) && is_below(&link.path, target)
        })
    };
    // Programs know it by name, and it is as good a place for temporary files.
    let second = Link {
        path: "/var/tmp".into(),
        to: own.tmp.clone(),
    };
    let all = project.links.iter().chain([&second]);
    let free = all.filter(is_free);
    let nodes = free.map(|link| Node::Symlink {
        target: link.path.clone(),
        to: link.to.clone(),
    });
    nodes.collect()
}

fn is_mount(node: &Node) -> bool {
    matches!(
        node,
        Node::Bind { .. } | Node::Tmpfs { .. } | Node::Proc { .. } | Node::Terminals { .. }
    )
}

/// The system's own files.
fn system_nodes(inputs: &Inputs<'_>, own: &OwnFiles, system: System, found: &Found) -> Vec<Node> {
    let Inputs {
        policy,
        host,
        identity,
        project,
        run,
    } = *inputs;
    let services = run.ports.services.iter();
    let name = kernel::node();
    let account = Account {
        name: &project.user_name,
        uid: identity.uid,
        gid: identity.gid,
        // Programs look it up.
        home: match run.cages().any(|cage| cage == Cage::Program) {
            true => &own.home,
            false => &own.tool_home,
        },
        hosts: system::Hosts {
            own: &name,
            services: services.filter_map(|it| it.host.as_deref()).collect(),
        },
    };
    let whole = host.landlock.is_ok();
    let mut nodes = system::nodes(system, &account, whole, run.terminal);
    match (system, whole) {
        (System::Static, _) => {}
        // The compiler finds its parts where they are.
        (System::Dynamic, _) if run.compiler == Some(Part::Compiles) => {}
        (System::Dynamic, true) => nodes.extend(system::folders(found, &policy.files)),
        (System::Dynamic, false) => nodes.extend(system::links(found)),
    }
    // What is granted by name is shown instead of what the view would make there.
    nodes.retain(|node| {
        let is_made = matches!(node, Node::File { .. } | Node::Symlink { .. });
        !is_made || !named(policy).any(|path| is_below(node.target(), path))
    });
    let place = Path::new(way::CERTIFICATES);
    if let Some(certificates) = &run.certificates
        && !named(policy).any(|path| is_below(place, path))
    {
        nodes.push(Node::Bind {
            source: certificates.clone(),
            target: place.to_owned(),
            writable: false,
            id_map: false,
        });
    }
    nodes
}

/// What is granted by name.
fn named(policy: &Policy) -> impl Iterator<Item = &PathBuf> {
    policy.files.read.iter().chain(&policy.files.write)
}

/// Puts the links into the view by which granted paths were named, where no mount shows them.
fn add_links(nodes: &mut Vec<Node>, links: &[(PathBuf, PathBuf)]) {
    for (target, to) in links {
        let is_shown = |node: &Node| match node {
            Node::Bind { .. } => is_below(target, node.target()),
            Node::Symlink { target: other, .. } => other == target,
            _ => false,
        };
        if nodes.iter().any(is_shown) {
            continue;
        }
        nodes.retain(|node| node.target() != target);
        let (target, to) = (target.clone(), to.clone());
        nodes.push(Node::Symlink { target, to });
    }
}

/// What is bound at its own place, sorted, each path once, with whether it is writable.
struct Binds {
    paths: Vec<(PathBuf, bool)>,
    /// `/usr` is bound as a whole.
    whole_usr: bool,
}

impl Binds {
    fn of(
        inputs: &Inputs<'_>,
        own: &OwnFiles,
        system: System,
        (grants, programs): (&[Rule], Option<&Programs>),
        tree: &Tree,
    ) -> Binds {
        let Inputs {
            policy, host, run, ..
        } = *inputs;
        let is_named = |path: &Path| {
            !is_below(path, "/proc")
                && named(policy).any(|named| named.as_os_str() == path.as_os_str())
        };
        let whole_usr = system == System::Dynamic && host.landlock.is_ok();
        // What programs are granted and the command is not, or only as a part of something else.
        let programs = programs.into_iter().flat_map(|programs| &programs.grants);
        let programs = programs.filter(|grant| grants.iter().all(|rule| rule.path != grant.path));
        let programs = programs.map(|grant| (&grant.path, grant.access, grant.may_be_missing));
        let granted = grants
            .iter()
            .map(|rule| (&rule.path, rule.access, rule.optional))
            .chain(programs);
        let mut paths: Vec<(PathBuf, bool)> = granted
            // The root is the view's own.
            .filter(|(_, access, _)| *access != Access::List)
            .filter(|(path, ..)| {
                run.outputs.contains(path) || is_named(path) || !is_inside_view(path, own)
            })
            // Bound as a whole, and rarely written to: what is, is a mount of its own.
            .filter(|(path, access, _)| {
                let is_shown = whole_usr && is_below(path, "/usr") && is_read(*access);
                !is_shown || copy_of(inputs, path).is_some()
            })
            .filter(|(path, _, may_be_missing)| !may_be_missing || look::exists(path))
            .map(|(path, access, _)| (path.clone(), !is_read(access)))
            .collect();
        // A path that is granted twice, such as a cache that is named for reading too.
        paths.sort_unstable_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()).then(b.1.cmp(&a.1)));
        paths.dedup_by(|a, b| a.0.as_os_str() == b.0.as_os_str());
        paths.extend(tree.protected.iter().map(|path| (path.clone(), false)));
        paths.extend(
            tree.placeholders
                .iter()
                .map(|placeholder| (placeholder.path.clone(), false)),
        );
        paths.extend(tree.testdata.iter().map(|path| (path.clone(), true)));
        paths.sort_unstable_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()).then(a.1.cmp(&b.1)));
        paths.dedup_by(|a, b| a.0.as_os_str() == b.0.as_os_str());
        Binds { paths, whole_usr }
    }

    /// The mounts that show all of them. One whose nearest mount above shows the same needs none.
    fn nodes(&self, inputs: &Inputs<'_>, tree: &Tree) -> Vec<Node> {
        let Inputs { project, run, .. } = *inputs;
        let mut nodes = Vec::new();
        for (path, writable) in &self.paths {
            let needs_own = needs_own_mount(inputs, tree, path, *writable);
            let is_corpus = run.fuzzes && path.ends_with("fuzz");
            let copy = copy_of(inputs, path);
            if !needs_own && !is_corpus && copy.is_none() && self.shows(path, *writable) {
                continue;
            }
            // A placeholder holds nothing that its owner would have to read.
            let id_map = project.mapped.iter().any(|mapped| is_below(path, mapped))
                && !is_anothers(inputs, path)
                && !tree.placeholders.iter().any(|own| own.path == *path);
            nodes.push(Node::Bind {
                source: copy.unwrap_or(path).clone(),
                target: path.clone(),
                writable: *writable,
                id_map,
            });
        }
        nodes
    }

    /// Whether the nearest mount above shows a path as it is to be.
    fn shows(&self, path: &Path, writable: bool) -> bool {
        let mut above = self.paths.iter().rev();
        let above =
            above.find(|(other, _)| path.as_os_str() != other.as_os_str() && is_below(path, other));
        match above {
            Some((_, above)) => *above == writable,
            None => self.whole_usr && is_below(path, "/usr") && !writable,
        }
    }
}

/// Where the files of a path lie that is only shown at its place.
fn copy_of<'a>(inputs: &Inputs<'a>, path: &Path) -> Option<&'a PathBuf> {
    let project = inputs.project;
    let copy = project.goroot_copy.as_ref();
    copy.filter(|_| path == project.goroot)
}

/// What a program may write less of than the go command beside it needs a mount of its own. So does what is
/// written in a staged work tree itself, and not in the overlay over it.
fn needs_own_mount(inputs: &Inputs<'_>, tree: &Tree, path: &Path, writable: bool) -> bool {
    let Inputs { project, run, .. } = *inputs;
    let apart = [
        &project.goroot,
        &project.gocache,
        &project.gomodcache,
        &project.program_cache,
    ];
    let staged = project.tree.as_ref().filter(|_| run.stage.is_some());
    let is_in_staged = || staged.is_some_and(|tree| path != tree && is_below(path, tree));
    writable && is_in_staged()
        || run.wraps.is_some() && apart.into_iter().any(|apart| apart == path)
        || run.outputs.iter().any(|output| output == path)
        || tree.testdata.iter().any(|own| own == path)
        || is_anothers(inputs, path)
}

/// Whether a path is granted by name for writing, lies in a folder of root's that appears as the sandbox user's, and is
/// not root's itself: it appears as it is on disk.
fn is_anothers(inputs: &Inputs<'_>, path: &Path) -> bool {
    let Inputs {
        policy, project, ..
    } = *inputs;
    let mapped = &project.mapped;
    policy.files.write.iter().any(|named| named == path)
        && mapped.iter().any(|folder| is_below(path, folder))
        && !mapped.iter().any(|folder| folder == path)
}

/// The staged work tree, where it is staged.
fn overlay(inputs: &Inputs<'_>) -> Option<Overlay> {
    let stage = inputs.run.stage.as_ref()?;
    Some(Overlay {
        target: inputs.project.tree.clone()?,
        upper: stage.upper.clone(),
        work: stage.work.clone(),
    })
}

fn is_read(access: Access) -> bool {
    matches!(access, Access::List | Access::Read | Access::Execute)
}

/// Paths that the view makes itself.
fn is_inside_view(path: &Path, own: &OwnFiles) -> bool {
    const MADE: [&str; 6] = ["/proc", "/dev", "/etc", "/sys", "/lib", "/lib64"];
    MADE.iter().any(|made| is_below(path, made))
        || own.shows_tmp && is_below(path, USUAL_TMP)
        || is_below(path, OWN_MOUNT)
        || is_below(path, OWN_FOLDER)
}
