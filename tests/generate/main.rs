//! The generated profiles say what the policy says: each is compiled with its own tools and asked for
//! thousands of accesses, and no path gets a rule of its own into them.

#![allow(clippy::unwrap_used)]

mod apparmor;
mod automaton;
mod meaning;
mod paths;
#[path = "../reachable/mod.rs"]
mod reachable;
mod script;
mod selinux;

use std::fs;
use std::path::{Path, PathBuf};

use gosandbox::generate::{Error, Model, Site, matching};
use gosandbox::policy::{Access, Policy, TreeAccess};

fn policy() -> Policy {
    let mut policy = Policy::closed();
    policy.files.test = TreeAccess::Testdata;
    policy.files.run = TreeAccess::Write;
    policy.files.command = TreeAccess::Write;
    policy
}

fn site(tree: &Path) -> Site {
    Site {
        goroot: "/usr/local/go".into(),
        gocache: "/home/dev/.cache/go-build".into(),
        gomodcache: "/home/dev/go/pkg/mod".into(),
        program_cache: "/home/dev/.cache/gosandbox/p/go-build".into(),
        tree: tree.to_owned(),
        home: "/home/dev".into(),
        user: Some("builder".to_owned()),
        launcher: "/usr/bin/gosandbox".into(),
        system: vec![
            ("/usr/bin/sed".into(), Access::Execute, false),
            ("/usr/lib/x86_64-linux-gnu".into(), Access::Read, true),
        ],
        write: vec![("/srv/out".into(), true)],
        temporary: vec!["/tmp".into()],
        protected: vec![tree.join("ci/hooks")],
        ..Site::default()
    }
}

/// A tool that must be there; says so loudly where not.
fn has(tool: &str) -> bool {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(tool).exists());
    if !found {
        reachable::skip(reachable::Lacks::Host, &format!("{tool} is not installed"));
    }
    found
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_written() {
    let policy = policy();
    for writable in ["/usr/local", "/usr/local/go/src", "/home/dev", "/usr/bin"] {
        let mut site = site(Path::new("/srv/project"));
        site.write = vec![(writable.into(), true)];
        let error = Model::new(&policy, &site).unwrap_err();
        assert!(
            matches!(error, Error::Contradiction { .. }),
            "{writable}: {error}"
        );
    }
}

#[test]
fn the_documentation_has_the_table_of_what_each_format_can_say() {
    let root = std::env::var_os("GOSANDBOX_TEST_ROOT")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let path = root.join("docs/generated/matching.md");
    if std::env::var_os("GOSANDBOX_WRITE_DOCS").is_some() {
        fs::write(&path, matching::table()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        matching::table(),
        "GOSANDBOX_WRITE_DOCS=1 writes it"
    );
}
