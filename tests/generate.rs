//! The generated profiles say what the policy says: each is compiled with its own tools and asked for
//! thousands of accesses, and no path gets a rule of its own into them.

#![allow(clippy::unwrap_used)]

mod generate {
    pub mod automaton;
}

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use generate::automaton::Compiled;
use gosandbox::generate::rules::{SECRETS, Subject};
use gosandbox::generate::{Backend, Error, Model, Site, apparmor::AppArmor, matching, selinux::Selinux};
use gosandbox::policy::{Access, PROTECTED, Policy, TreeAccess};

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
        launcher: "/usr/bin/gosandbox".into(),
        system: vec![
            ("/usr/bin/sed".into(), Access::Execute, false),
            ("/usr/lib/x86_64-linux-gnu".into(), Access::Read, true),
        ],
        write: vec![("/srv/out".into(), true)],
        temporary: vec!["/tmp".into()],
        ..Site::default()
    }
}

/// What the policy means, told apart from the rules and from every backend.
struct Meaning<'a> {
    site: &'a Site,
    policy: &'a Policy,
    subject: Subject,
}

impl Meaning<'_> {
    fn is_secret(&self, path: &Path) -> bool {
        SECRETS.iter().any(|name| {
            path.starts_with(Path::new("/root").join(name))
                || path.ancestors().any(|up| up.parent().and_then(Path::parent) == Some(Path::new("/")) && up.starts_with("/home") && path.starts_with(up.join(name)))
        })
    }

    fn is_protected(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.site.tree) else {
            return false;
        };
        let named = |part: &OsStr| PROTECTED.iter().any(|name| OsStr::new(name) == part);
        match self.subject {
            Subject::Tool => below.iter().next().is_some_and(named),
            _ => below.iter().any(named),
        }
    }

    fn writes(&self, path: &Path, own: bool) -> bool {
        let site = self.site;
        let caches = [&site.gocache, &site.gomodcache];
        if self.is_secret(path) || self.is_protected(path) || path.starts_with(&site.goroot) {
            return false;
        }
        if caches.iter().any(|cache| path.starts_with(cache)) {
            return self.subject == Subject::Tool;
        }
        let tree = match self.subject {
            Subject::Tool => TreeAccess::Write,
            Subject::Program => self.policy.files.run,
            Subject::Test => self.policy.files.test,
        };
        let in_tree = path.strip_prefix(&site.tree).is_ok_and(|below| {
            tree == TreeAccess::Write
                || tree == TreeAccess::Testdata && below.iter().any(|part| part == "testdata")
        });
        in_tree
            || path.starts_with(&site.program_cache)
            || path.starts_with("/srv/out")
            || path.starts_with("/tmp") && own
    }

    fn reads(&self, path: &Path, own: bool) -> bool {
        let site = self.site;
        let granted = [
            &site.goroot,
            &site.gocache,
            &site.gomodcache,
            &site.program_cache,
            &site.tree,
        ];
        !self.is_secret(path)
            && (granted.iter().any(|folder| path.starts_with(folder))
                || path.starts_with("/usr/lib/x86_64-linux-gnu")
                || path.starts_with("/srv/out")
                || path == Path::new("/usr/bin/sed")
                || path == site.launcher && self.subject == Subject::Tool
                || path.starts_with("/tmp") && own)
    }
}

/// A tool that must be there; says so loudly where not.
fn has(tool: &str) -> bool {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(tool).exists());
    if !found {
        eprintln!("SKIPPED: {tool} is not installed");
        let strict = std::env::var_os("GOSANDBOX_REQUIRE_KERNEL").is_some_and(|value| value == "1");
        assert!(!strict, "may not be skipped here: {tool} is not installed");
    }
    found
}

/// The AppArmor file for a tree, compiled as for a kernel of Debian 12's.
fn compiled(policy: &Policy, site: &Site) -> Compiled {
    let model = Model::new(policy, site).unwrap();
    let files = AppArmor.render(&model).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("profile");
    fs::write(&source, &files[0].content).unwrap();
    let output = Command::new("apparmor_parser")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .args(["-QK", "--kernel-features", "/etc/apparmor.d/abi/3.0", "--warn=all", "--Werror", "-O", "no-diff-encode", "-o"])
        .arg(folder.path().join("binary"))
        .arg(&source)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Compiled::read(&fs::read(folder.path().join("binary")).unwrap())
}

fn paths(tree: &'static str) -> impl Strategy<Value = PathBuf> {
    let roots = prop::sample::select(vec![
        "/usr/local/go", "/usr/local/gopher", "/home/dev/.cache/go-build", "/home/dev/go/pkg/mod", "/home/dev",
        "/home/other", "/root", "/home/dev/.cache/gosandbox/p/go-build", tree, "/tmp", "/srv/out", "/srv", "/usr/bin",
        "/usr/lib/x86_64-linux-gnu", "/usr/lib", "/opt",
    ]);
    let names = prop::sample::select(vec![
        "a", "b.go", "bin", "src", ".git", ".github", ".gitx", "testdata", "testdata2", ".ssh", ".netrc", "id_rsa", "x.test",
        "go-build1", "b001", "ab", "sed", "gcc", "a b", "\"", "*", "é", ".aws", ".envrc", "config", "pkg", "tool",
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
    const TREES: [&str; 3] = ["/srv/project", "/tmp/a b*[x]{y,z}^?", "/home/dev/src/\"q\" @{HOME} #,"];
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
                        let meaning = Meaning { site: &site, policy: &policy, subject };
                        let got = compiled.permissions(&name, &path, own);
                        // A grant of a folder is for what is beneath it, too.
                        let folder = compiled.permissions(&name, &path.join(""), own);
                        prop_assert_eq!(got.write || folder.write, meaning.writes(&path, own), "write {} {:?} {}", name, path, own);
                        prop_assert_eq!(got.read || folder.read, meaning.reads(&path, own) || path == Path::new("/tmp"), "read {} {:?} {}", name, path, own);
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
        for path in ["/srv/project/hello", "/tmp/go-build1/b001/x.test", "/tmp/go-build1/b001/exe/x", "/usr/bin/sed", "/home/dev/.cache/go-build/ab/cd-d/x"] {
            assert!(executes(path) && !inherits(path), "{family} {path}");
        }
        for path in ["/usr/bin/gcc", "/usr/bin/as", "/usr/local/go/src/make.bash", "/opt/x"] {
            assert!(!executes(path), "{family} {path}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a folder is called, the lines of the file are the same but for the path in them.
    #[test]
    fn no_path_gets_a_rule_of_its_own_into_a_file(name in prop::collection::vec(any::<u8>().prop_filter("no separator", |byte| *byte != 0 && *byte != b'/'), 1..24)) {
        let tree = Path::new("/srv").join(OsStr::from_bytes(&name));
        prop_assume!(name != b"." && name != b".." && name != b"out");
        let policy = policy();
        let (odd, plain) = (site(&tree), site(Path::new("/srv/plain")));
        let (odd, plain) = (Model::new(&policy, &odd).unwrap(), Model::new(&policy, &plain).unwrap());
        let backends: [&dyn Backend; 2] = [&AppArmor, &Selinux];
        for backend in backends {
            let files = match backend.render(&odd) {
                Ok(files) => files,
                Err(Error::Path { path, .. }) => {
                    prop_assert!(path.starts_with(&tree));
                    continue;
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            };
            for (odd, plain) in files.iter().zip(backend.render(&plain).unwrap()) {
                // A shell's single quotes may hold a newline; no other format's may.
                if odd.executable { continue; }
                let body = |text: &str| text.lines().filter(|line| !line.contains("policy digest")).count();
                prop_assert_eq!(body(&odd.content), body(&plain.content));
                for (odd, plain) in odd.content.lines().zip(plain.content.lines()).filter(|(_, plain)| !plain.contains("plain") && !plain.contains("policy digest")) {
                    prop_assert_eq!(odd, plain);
                }
                prop_assert!(!odd.content.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            }
        }
    }
}

#[test]
fn selinux_contexts_match_their_paths_and_no_others() {
    if !has("matchpathcon") || !has("sefcontext_compile") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for tree in ["/srv/project", "/srv/a b.c*[x](y)|z", "/srv/q\"' #$^+?\\", "/srv/é\u{1}"] {
        let (policy, site) = (policy(), site(Path::new(tree)));
        let mut model = Model::new(&policy, &site).unwrap();
        model.form = Some("te".into());
        let files = Selinux.render(&model).unwrap();
        let text = files.iter().find(|file| file.name == "gosandbox.fc").unwrap();
        let text = text.content.replace("gen_context(", "").replace(",s0)", ":s0").replace("HOME_DIR", "/home/[^/]+");
        let contexts = folder.path().join("file_contexts");
        fs::write(&contexts, text).unwrap();
        let label = |path: String| {
            let output = Command::new("selabel_lookup")
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .args(["-b", "file", "-t", "file", "-f"])
                .arg(&contexts)
                .args(["-k", &path])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split(':').find(|part| part.ends_with("_t")).map(|part| part.trim().to_owned())
        };
        assert_eq!(label(format!("{tree}/main.go")).as_deref(), Some("gosandbox_work_t"), "{tree}");
        assert_eq!(label(format!("{tree}/a/testdata/x")).as_deref(), Some("gosandbox_testdata_t"));
        assert_eq!(label(format!("{tree}/.git/config")).as_deref(), Some("gosandbox_protected_t"));
        assert_eq!(label("/usr/local/go/bin/go".into()).as_deref(), Some("gosandbox_goroot_exec_t"));
        assert_eq!(label("/usr/local/go/src/fmt/print.go".into()).as_deref(), Some("gosandbox_goroot_t"));
        assert_eq!(label("/usr/local/gopher/x".into()), None);
        assert_eq!(label("/srv/projectile".into()), None);
        assert_eq!(label(format!("{tree}x")), None);
    }
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_written() {
    let policy = policy();
    for writable in ["/usr/local", "/usr/local/go/src", "/home/dev", "/usr/bin"] {
        let mut site = site(Path::new("/srv/project"));
        site.write = vec![(writable.into(), true)];
        let error = Model::new(&policy, &site).unwrap_err();
        assert!(matches!(error, Error::Contradiction { .. }), "{writable}: {error}");
    }
}

#[test]
fn a_path_that_apparmor_cannot_hold_is_refused_by_name() {
    let policy = policy();
    for tree in [&b"/srv/a\nb"[..], b"/srv/\xff", b"/srv/a\x1b[0m"] {
        let tree = Path::new(OsStr::from_bytes(tree));
        let site = site(tree);
        let error = AppArmor.render(&Model::new(&policy, &site).unwrap()).unwrap_err();
        assert!(matches!(&error, Error::Path { path, .. } if path == tree), "{error}");
        assert!(!error.to_string().chars().any(char::is_control));
    }
}

#[test]
fn the_documentation_has_the_table_of_what_each_format_can_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/generated/matching.md");
    if std::env::var_os("GOSANDBOX_WRITE_DOCS").is_some() {
        fs::write(&path, matching::table()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), matching::table(), "GOSANDBOX_WRITE_DOCS=1 writes it");
}
