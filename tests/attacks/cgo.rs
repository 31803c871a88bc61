//! What a build leaves out because cgo is off is told, or refused.

use crate::support::modules::Modules;
use crate::support::{Ended, Env, Site, in_environments};

const C: &str = "package mixed\n\n// int three(void) { return 3; }\nimport \"C\"\n";

/// A module of a package with a cgo file, one that uses it, and one that does not.
fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("pure/p.go", "package pure\n\nfunc F() int { return 1 }\n");
    site.file(
        "pure/p_test.go",
        "package pure\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {}\n",
    );
    site.file("mixed/a.go", "package mixed\n\nfunc G() int { return 1 }\n");
    site.file("mixed/b.go", C);
    site.file(
        "user/u.go",
        "package user\n\nimport \"example.com/m/mixed\"\n\nvar X = mixed.G()\n",
    );
    site.file("alone/c.go", &C.replace("mixed", "alone"));
    site.file(
        "main.go",
        "package main\n\nimport \"example.com/m/pure\"\n\nfunc main() { println(pure.F()) }\n",
    );
    site.settle();
    site
}

fn with_cgo(site: &Site, options: &[&str], words: &[&str], cgo: &str) -> Ended {
    Ended::of(site.gosandbox(options, words).env("CGO_ENABLED", cgo))
}

in_environments!(what_is_left_out_is_told);
fn what_is_left_out_is_told(env: Env) {
    let site = site(env);
    // The packages that are named, of all that have cgo files.
    let cases: [(&[&str], &[&str]); 11] = [
        (&["go", "build", "./..."], &["m/alone", "m/mixed"]),
        (&["go", "build", "-o", "out", "./user"], &["m/mixed"]),
        (&["go", "vet", "./mixed"], &["m/mixed"]),
        (&["go", "test", "./mixed/..."], &["m/mixed"]),
        (&["go", "-C", "mixed", "build"], &["m/mixed"]),
        (&["go", "build", "-C", "mixed", "."], &["m/mixed"]),
        (&["go", "build", "./alone"], &["m/alone"]),
        (&["go", "build", "."], &[]),
        (&["go", "run", ".", "./mixed"], &[]),
        (&["go", "test", "./pure"], &[]),
        (&["go", "list", "./..."], &[]),
    ];
    for (words, packages) in cases {
        let ended = site.run(&[], words);
        for package in ["m/alone", "m/mixed"] {
            let is_told = ended.stderr.lines().any(|line| {
                line.starts_with("gosandbox: warning: cgo is off") && line.contains(package)
            });
            assert_eq!(
                is_told,
                packages.contains(&package),
                "{env:?} {words:?}: {ended:?}"
            );
        }
    }
    let said = |ended: &Ended| ended.stderr.contains("gosandbox: warning: ");
    assert!(!said(&with_cgo(&site, &[], &["go", "build", "./..."], "0")));
    assert!(!said(&site.run(&["-q"], &["go", "build", "./..."])));
    let asked = with_cgo(&site, &[], &["go", "build", "./pure"], "1").expect(0);
    asked.says("CGO_ENABLED=1 is left aside");
    assert!(!said(&with_cgo(&site, &[], &["go", "version"], "1")));
}

in_environments!(a_profile_refuses_it: user User, root Root);
fn a_profile_refuses_it(env: Env) {
    let site = site(env);
    let ci = ["--profile", "ci"];
    let ended = site
        .run(&ci, &["go", "build", "-o", "out", "./user"])
        .expect(125);
    ended
        .refused("compiler-refused")
        .says("example.com/m/mixed")
        .says("CGO_ENABLED=0 gosandbox");
    assert!(!site.work.join("out").exists(), "{env:?}");
    site.run(&ci, &["go", "build", "./pure"]).expect(0);
    with_cgo(&site, &ci, &["go", "build", "./..."], "0").expect(0);
}

#[test]
fn a_module_that_is_needed_counts_and_another_does_not() {
    let site = site(Env::User);
    for file in ["mixed/b.go", "alone/c.go"] {
        std::fs::remove_file(site.work.join(file)).unwrap();
    }
    let modules = Modules::new(site.root.join("modules"));
    let files = [
        ("go.mod", "module native.example\n\ngo 1.21\n"),
        ("n.go", "package native\n\nvar N = 1\n"),
        ("c.go", "package native\n\nimport \"C\"\n"),
        ("other/o.go", "package other\n\nvar O = 1\n"),
    ];
    modules.add("native.example", "v1.0.0", &files);
    site.settle();
    let profile = format!(
        "extends = \"strict\"\n[modules]\nupstreams = \"{}\"\nchecksum-database = \"off\"\n",
        modules.upstream()
    );
    let profile = site.profile(&profile).display().to_string();
    let run = |words: &[&str]| site.run(&["--profile", &profile], words).expect(0);
    for (package, is_told) in [("native.example/other", false), ("native.example", true)] {
        site.file(
            "user/u.go",
            &format!("package user\n\nimport _ {package:?}\n"),
        );
        site.settle();
        run(&["go", "get", "native.example@v1.0.0"]);
        // What was found in the module is kept, and is said again.
        for _ in 0..2 {
            let ended = run(&["go", "build", "./user"]);
            let line = "left out of native.example\n";
            assert_eq!(ended.stderr.contains(line), is_told, "{package}: {ended:?}");
        }
    }
    run(&["go", "mod", "vendor"]);
    run(&["go", "build", "./user"]).says("left out of native.example");
}
