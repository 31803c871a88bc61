//! AppArmor: the compiled automata against the policy's meaning.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use gosandbox::generate::rules::Subject;
use gosandbox::generate::{Backend, Model, Site, apparmor::AppArmor};
use gosandbox::policy::Policy;

use crate::automaton::Compiled;
use crate::meaning::Meaning;
use crate::{has, policy, site};

/// The AppArmor file for a tree, compiled as for a kernel of Debian 12's.
fn compiled(policy: &Policy, site: &Site) -> Compiled {
    let model = Model::new(policy, site).unwrap();
    let files = AppArmor.render(&model).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("profile");
    fs::write(&source, &files[0].content).unwrap();
    let output = Command::new("apparmor_parser")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .args([
            "-QK",
            "--kernel-features",
            "/etc/apparmor.d/abi/3.0",
            "--warn=all",
            "--Werror",
            "-O",
            "no-diff-encode",
            "-o",
        ])
        .arg(folder.path().join("binary"))
        .arg(&source)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Compiled::read(&fs::read(folder.path().join("binary")).unwrap())
}

fn paths(tree: &'static str) -> impl Strategy<Value = PathBuf> {
    let roots = prop::sample::select(vec![
        "/usr/local/go",
        "/usr/local/gopher",
        "/home/dev/.cache/go-build",
        "/home/dev/go/pkg/mod",
        "/home/dev",
        "/home/other",
        "/root",
        "/home/dev/.cache/gosandbox/p/go-build",
        tree,
        "/tmp",
        "/srv/out",
        "/srv",
        "/usr/bin",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib",
        "/opt",
    ]);
    let names = prop::sample::select(vec![
        "a",
        "b.go",
        "bin",
        "src",
        ".git",
        ".github",
        ".gitx",
        "ci",
        "hooks",
        "testdata",
        "testdata2",
        ".ssh",
        ".netrc",
        "id_rsa",
        "x.test",
        "go-build1",
        "b001",
        "ab",
        "sed",
        "gcc",
        "a b",
        "\"",
        "*",
        "é",
        ".aws",
        ".envrc",
        "config",
        "pkg",
        "tool",
    ]);
    (roots, prop::collection::vec(names, 0..5)).prop_map(|(root, names)| {
        let mut path = PathBuf::from(root);
        path.extend(names);
        path
    })
}

#[test]
fn apparmor_grants_what_the_policy_grants_and_nothing_else() {
    if !has("apparmor_parser") {
        return;
    }
    const TREES: [&str; 3] = [
        "/srv/project",
        "/tmp/a b*[x]{y,z}^?",
        "/home/dev/src/\"q\" @{HOME} #,",
    ];
    for tree in TREES {
        let (policy, site) = (policy(), site(Path::new(tree)));
        let compiled = compiled(&policy, &site);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3000));
        runner
            .run(&(paths(tree), any::<bool>()), |(path, own)| {
                for family in ["gosandbox", "gosandbox-alone"] {
                    for subject in Subject::ALL {
                        let name = match subject {
                            Subject::Tool => family.to_owned(),
                            _ => format!("{family}//{}", subject.word()),
                        };
                        let meaning = Meaning {
                            site: &site,
                            policy: &policy,
                            subject,
                        };
                        let got = compiled.permissions(&name, &path, own);
                        // A grant of a folder is for what is beneath it, too.
                        let folder = compiled.permissions(&name, &path.join(""), own);
                        prop_assert_eq!(
                            got.write || folder.write,
                            meaning.writes(&path, own),
                            "write {} {:?} {}",
                            name,
                            path,
                            own
                        );
                        prop_assert_eq!(
                            got.read || folder.read,
                            meaning.reads(&path, own) || path == Path::new("/tmp"),
                            "read {} {:?} {}",
                            name,
                            path,
                            own
                        );
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn apparmor_executes_the_toolchain_in_its_own_profile_and_nothing_else_there() {
    if !has("apparmor_parser") {
        return;
    }
    let (policy, site) = (policy(), site(Path::new("/srv/project")));
    let compiled = compiled(&policy, &site);
    for family in ["gosandbox", "gosandbox-alone"] {
        let inherits = |path: &str| compiled.permissions(family, Path::new(path), true).inherits;
        let executes = |path: &str| compiled.permissions(family, Path::new(path), true).execute;
        assert!(inherits("/usr/local/go/bin/go"));
        assert!(inherits("/usr/local/go/pkg/tool/linux_amd64/compile"));
        for path in [
            "/srv/project/hello",
            "/tmp/go-build1/b001/x.test",
            "/tmp/go-build1/b001/exe/x",
            "/usr/bin/sed",
            "/home/dev/.cache/go-build/ab/cd-d/x",
        ] {
            assert!(executes(path) && !inherits(path), "{family} {path}");
        }
        for path in [
            "/usr/bin/gcc",
            "/usr/bin/as",
            "/usr/local/go/src/make.bash",
            "/opt/x",
        ] {
            assert!(!executes(path), "{family} {path}");
        }
    }
}

#[test]
fn secrets_are_refused_where_a_broader_grant_holds_them() {
    if !has("apparmor_parser") {
        return;
    }
    let policy = policy();
    let mut site = site(Path::new("/var/lib/ci/work"));
    site.home = "/var/lib/ci".into();
    site.write = Vec::new();
    site.read = vec![
        ("/var/lib/ci".into(), true),
        ("/var/lib/ci/.docker/config.json".into(), false),
    ];
    let compiled = compiled(&policy, &site);
    for profile in [
        "gosandbox",
        "gosandbox-alone//program",
        "gosandbox-alone//test",
    ] {
        let reads = |path: &str| compiled.permissions(profile, Path::new(path), true).read;
        assert!(reads("/var/lib/ci/notes"), "{profile}");
        assert!(reads("/var/lib/ci/.docker/config.json"), "{profile}");
        assert!(!reads("/var/lib/ci/.ssh/id_rsa"), "{profile}");
        assert!(!reads("/var/lib/ci/.netrc"), "{profile}");
    }
}
