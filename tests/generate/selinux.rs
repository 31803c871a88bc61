//! SELinux: file contexts against paths, and the sources for a reference policy.

use std::fs;
use std::path::Path;
use std::process::Command;

use gosandbox::generate::{Backend, Model, selinux::Selinux};

use crate::{has, policy, site};

#[test]
fn selinux_contexts_match_their_paths_and_no_others() {
    if !has("matchpathcon") || !has("sefcontext_compile") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for tree in [
        "/srv/project",
        "/srv/a b.c*[x](y)|z",
        "/srv/q\"' #$^+?\\",
        "/srv/é\u{1}",
    ] {
        let (policy, site) = (policy(), site(Path::new(tree)));
        let mut model = Model::new(&policy, &site).unwrap();
        model.form = Some("te".into());
        let files = Selinux.render(&model).unwrap();
        let lines = files
            .iter()
            .find(|file| file.name == "gosandbox.fcontext")
            .unwrap();
        let cache = " -t gosandbox_cache_t '/home/dev/\\.cache/go-build(/.*)?'\n";
        assert!(lines.content.contains(cache), "{}", lines.content);
        let text = files
            .iter()
            .find(|file| file.name == "gosandbox.fc")
            .unwrap();
        let text = text
            .content
            .replace("gen_context(", "")
            .replace(",s0)", ":s0")
            .replace("HOME_DIR", "/home/[^/]+");
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
            text.split(':')
                .find(|part| part.ends_with("_t"))
                .map(|part| part.trim().to_owned())
        };
        assert_eq!(
            label(format!("{tree}/main.go")).as_deref(),
            Some("gosandbox_work_t"),
            "{tree}"
        );
        assert_eq!(
            label(format!("{tree}/a/testdata/x")).as_deref(),
            Some("gosandbox_testdata_t")
        );
        assert_eq!(
            label(format!("{tree}/.git/config")).as_deref(),
            Some("gosandbox_protected_t")
        );
        assert_eq!(
            label(format!("{tree}/ci/hooks/pre-commit")).as_deref(),
            Some("gosandbox_protected_t")
        );
        assert_eq!(
            label("/usr/local/go/bin/go".into()).as_deref(),
            Some("gosandbox_goroot_exec_t")
        );
        assert_eq!(
            label("/usr/local/go/src/fmt/print.go".into()).as_deref(),
            Some("gosandbox_goroot_t")
        );
        assert_eq!(label("/usr/local/gopher/x".into()), None);
        assert_eq!(label("/srv/projectile".into()), None);
        assert_eq!(label(format!("{tree}x")), None);
    }
}

/// The two macros of a reference policy that the module uses, written out.
fn expanded(text: &str) -> String {
    text.replace("policy_module(gosandbox, 1.0)", "module gosandbox 1.0;")
        .replace("gen_require(`", "require {")
        .replace("')", "}")
}

#[test]
fn the_sources_for_a_reference_policy_compile() {
    if !has("checkmodule") {
        return;
    }
    let (policy, site) = (policy(), site(Path::new("/srv/project")));
    let mut model = Model::new(&policy, &site).unwrap();
    model.form = Some("te".into());
    let files = Selinux.render(&model).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("gosandbox.te");
    fs::write(&source, expanded(&files[0].content)).unwrap();
    let output = Command::new("checkmodule")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .args(["-M", "-m", "-o"])
        .arg(folder.path().join("gosandbox.mod"))
        .arg(&source)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// As docs/deploy/selinux.md has it, and with a module of somebody else's that calls the interfaces.
#[test]
fn the_sources_build_with_the_makefile_of_a_reference_policy() {
    if !has("../share/selinux/devel/Makefile") || !has("m4") || !has("checkmodule") {
        return;
    }
    let (policy, site) = (policy(), site(Path::new("/srv/project")));
    let mut model = Model::new(&policy, &site).unwrap();
    model.form = Some("te".into());
    let folder = tempfile::tempdir().unwrap();
    for file in Selinux.render(&model).unwrap() {
        fs::write(folder.path().join(file.name), file.content).unwrap();
    }
    fs::write(
        folder.path().join("caller.te"),
        "policy_module(caller, 1.0)\ntype caller_t;\nrole caller_r;\n\
         domain_type(caller_t)\ngosandbox_run(caller_t, caller_r)\n",
    )
    .unwrap();
    let output = Command::new("make")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .args(["-f", "/usr/share/selinux/devel/Makefile", "NAME=default"])
        .args(["gosandbox.pp", "caller.pp"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "");
    for module in ["gosandbox.pp", "caller.pp"] {
        assert!(folder.path().join(module).exists(), "{module}");
    }
}
