use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::generate::{self, Model, Site};
use crate::host::Host;
use crate::plan::inputs::{Inputs, Project, Run, Wraps};
use crate::plan::{self, Command, Identity, Isolation, Plan};
use crate::policy::{Cage, Policy};

thread_local! {
    /// A grant that every subject gets too.
    static ADDED: RefCell<Option<(Role, PathBuf, Access)>> = RefCell::default();
}

pub(super) fn add(found: &mut Found) {
    ADDED.with_borrow(|added| {
        if let Some((role, path, access)) = added {
            found.add(*role, path, *access);
        }
    });
}

fn host(namespaces: bool) -> Host {
    Host {
        uid: 1000,
        gid: 1000,
        landlock: Ok(6),
        namespaces: match namespaces {
            true => Ok(()),
            false => Err("none here".to_owned()),
        },
        notification: Ok(()),
        staging: Ok(()),
        can_switch: false,
    }
}

/// The plan of a `go test` in a folder.
fn plan(base: &Path, namespaces: bool) -> Plan {
    let policy = Policy::closed();
    let project = Project {
        tree: Some(base.join("tree")),
        judged: Vec::new(),
        mapped: Vec::new(),
        protected: Vec::new(),
        covers: Vec::new(),
        read: Vec::new(),
        write: Vec::new(),
        goroot: base.join("goroot"),
        goroot_copy: None,
        links: Vec::new(),
        goroot_linked: Vec::new(),
        gocache: base.join("gocache"),
        gomodcache: base.join("gomodcache"),
        sumdb: None,
        program_cache: base.join("programs"),
        proxy_folders: Vec::new(),
        user_name: "user".to_owned(),
        launcher: base.join("gosandbox"),
        scratch: base.join("scratch"),
    };
    let run = Run {
        command: Command {
            path: base.join("goroot/bin/go"),
            argv: vec!["go".into(), "test".into(), plan::EXEC_PLACE.into()],
            environment: Vec::new(),
            settings: Vec::new(),
            folder: base.join("tree"),
        },
        cage: Cage::Tool,
        way: None,
        callers_proxy: None,
        wraps: Some(Wraps::Tests),
        dynamic: false,
        outputs: Vec::new(),
        placeholders: Vec::new(),
        programs: Vec::new(),
        runs_cached: false,
        fuzzes: false,
        seed: None,
        terminal: false,
        program_environment: (BTreeMap::new(), Vec::new()),
        program_hosts: Vec::new(),
        certificates: None,
        ports: Default::default(),
        compiler: None,
        stage: None,
    };
    let identity = Identity {
        uid: 1000,
        gid: 1000,
        switch: false,
    };
    plan::build::build(&Inputs {
        policy: &policy,
        host: &host(namespaces),
        identity: &identity,
        project: &project,
        run: &run,
    })
    .unwrap()
}

/// Where a path is named: by which layer of the launcher, and in which formats.
fn named(base: &Path, path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (name, namespaces) in [("view", true), ("no view", false)] {
        let plan = plan(base, namespaces);
        let program = plan.program.as_ref().unwrap();
        for (cage, domain) in [("command", &plan.landlock), ("programs", &program.landlock)] {
            let mut rules = domain.iter().flat_map(|domain| &domain.rules);
            if rules.any(|rule| rule.path == path) {
                found.push(format!("{name}: Landlock, {cage}"));
            }
        }
        if let Isolation::Namespaces(view) = &plan.isolation
            && view.nodes.iter().any(|node| node.target() == path)
        {
            found.push(format!("{name}: mounts"));
        }
    }
    let policy = Policy::closed();
    let site = Site {
        goroot: base.join("goroot"),
        gocache: base.join("gocache"),
        gomodcache: base.join("gomodcache"),
        program_cache: base.join("programs"),
        tree: base.join("tree"),
        home: "/home/user".into(),
        launcher: base.join("gosandbox"),
        ..Site::default()
    };
    let model = Model::new(&policy, &site).unwrap();
    for backend in generate::BACKENDS {
        let files = backend.render(&model).unwrap();
        let text: String = files.into_iter().map(|file| file.content).collect();
        if text.contains(&path.display().to_string()) {
            found.push(backend.format().to_owned());
        }
    }
    found
}

#[test]
fn a_grant_that_is_added_here_reaches_every_layer_and_every_format_that_names_paths() {
    let base = tempfile::tempdir().unwrap();
    let base = base.path().canonicalize().unwrap();
    for folder in [
        "tree",
        "goroot/bin",
        "gocache",
        "gomodcache",
        "programs",
        "scratch",
        "added",
    ] {
        std::fs::create_dir_all(base.join(folder)).unwrap();
    }
    let added = base.join("added");
    assert_eq!(named(&base, &added), [""; 0]);
    let everywhere = [
        "view: Landlock, command",
        "view: Landlock, programs",
        "view: mounts",
        "no view: Landlock, command",
        "no view: Landlock, programs",
        "apparmor",
        "selinux",
        "systemd",
        "bwrap",
    ];
    for (role, access, not_in) in [
        (Role::ModuleCache, Access::Write, &[][..]),
        (Role::ProgramCache, Access::WriteExecute, &[]),
        // Its label stays what it is (matching.md).
        (Role::Named, Access::WriteExecute, &["selinux"]),
        // A unit reads what it can see.
        (Role::Named, Access::Read, &["selinux", "systemd"]),
    ] {
        ADDED.set(Some((role, added.clone(), access)));
        let expected = everywhere.iter().filter(|place| !not_in.contains(place));
        let expected: Vec<&str> = expected.copied().collect();
        assert_eq!(named(&base, &added), expected, "{role:?} {access:?}");
    }
    ADDED.set(None);
    assert_eq!(named(&base, &added), [""; 0]);
}

#[test]
fn what_may_be_written_neither_holds_nor_lies_in_what_nothing_may_write() {
    let places = |write: &'static str, tree: &'static str| Places {
        goroot: "/usr/local/go".into(),
        gocache: "/home/u/.cache/go-build".into(),
        gomodcache: "/home/u/go/pkg/mod".into(),
        launcher: "/usr/bin/gosandbox".into(),
        tree: Some(Path::new(tree)),
        write: match write {
            "" => Vec::new(),
            write => vec![Path::new(write)],
        },
        ..Places::default()
    };
    let holds = |writable: &str, held: &str| {
        Err(Contradiction::Holds {
            writable: writable.into(),
            held: held.into(),
        })
    };
    let lies_in = |writable: &str, held: &str| {
        Err(Contradiction::LiesIn {
            writable: writable.into(),
            held: held.into(),
        })
    };
    for (write, tree, expected) in [
        ("", "/src", Ok(())),
        ("/data", "/src", Ok(())),
        // A work tree may hold caches and the launcher, and never GOROOT.
        ("", "/home/u", Ok(())),
        ("", "/usr/bin", Ok(())),
        ("", "/usr", holds("/usr", "/usr/local/go")),
        ("", "/usr/local/go", holds("/usr/local/go", "/usr/local/go")),
        (
            "",
            "/usr/local/go/src",
            lies_in("/usr/local/go/src", "/usr/local/go"),
        ),
        (
            "",
            "/home/u/go/pkg/mod/x",
            lies_in("/home/u/go/pkg/mod/x", "/home/u/go/pkg/mod"),
        ),
        // What the user names holds none of them.
        (
            "/home/u",
            "/src",
            holds("/home/u", "/home/u/.cache/go-build"),
        ),
        (
            "/home/u/go/pkg/mod",
            "/src",
            holds("/home/u/go/pkg/mod", "/home/u/go/pkg/mod"),
        ),
        (
            "/home/u/go/pkg/mod/cache",
            "/src",
            lies_in("/home/u/go/pkg/mod/cache", "/home/u/go/pkg/mod"),
        ),
        ("/usr/bin", "/src", holds("/usr/bin", "/usr/bin/gosandbox")),
        ("/home/ul", "/src", Ok(())),
    ] {
        assert_eq!(
            contradictions(&places(write, tree)),
            expected,
            "{write} {tree}"
        );
    }
}

#[test]
fn beside_a_compiler_there_is_nothing_of_the_users() {
    let user = Path::new("/home/u");
    let places = Places {
        goroot: "/usr/local/go".into(),
        gocache: user.join(".cache/go-build"),
        gomodcache: user.join("go/pkg/mod"),
        compiler: Some(Path::new("/usr")),
        ..Places::default()
    };
    let of_user = |compiler| {
        let uses = Uses {
            compiler,
            ..Uses::default()
        };
        let all = grants(Subject::Tool, TreeAccess::Read, &places, uses);
        let theirs = all.into_iter().filter(|grant| grant.path.starts_with(user));
        theirs.map(|grant| grant.role).collect::<Vec<_>>()
    };
    assert_eq!(of_user(Some(Compiler::Runs)), [Role::Cache]);
    assert_eq!(of_user(None), [Role::Cache, Role::ModuleCache]);
    let executed = |compiler| {
        let uses = Uses {
            compiler,
            ..Uses::default()
        };
        let all = grants(Subject::Tool, TreeAccess::Read, &places, uses);
        all.iter()
            .any(|grant| grant.role == Role::Compiler && grant.access == Access::Execute)
    };
    assert!(executed(Some(Compiler::Runs)));
    assert!(!executed(Some(Compiler::Answered)) && !executed(None));
    for subject in [Subject::Program, Subject::Test] {
        let uses = Uses {
            compiler: Some(Compiler::Answered),
            ..Uses::default()
        };
        let all = grants(subject, TreeAccess::Write, &places, uses);
        assert!(all.iter().all(|grant| grant.role != Role::Compiler));
    }
}
