//! What programs find in PATH: only what may run, whatever the host has there.

use std::fs;

use crate::support::{Env, Site, in_environments};

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file(
        "m_test.go",
        r#"package m

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestLookPath(t *testing.T) {
	for _, name := range strings.Fields(os.Getenv("NAMES")) {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		file, err := os.Open(path)
		if err != nil {
			t.Errorf("%s is found and may not run: %v", name, err)
			continue
		}
		file.Close()
		t.Log("found", name)
	}
}
"#,
    );
    let tool = site.outside.join("own-tool");
    crate::support::write_executable(&tool, "#!/bin/sh\necho own tool\n");
    site.settle();
    site
}

/// Every name that the host has in PATH.
fn names() -> Vec<String> {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin"];
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    names.dedup();
    names
}

in_environments!(only_what_may_run_is_found: user User, root Root, restricted Restricted, container Container, no_landlock NoLandlock);
fn only_what_may_run_is_found(env: Env) {
    let site = site(env);
    let script = r#"for name in "$@"; do
        path=$(command -v -- "$name") || continue
        case $path in /*) ;; *) continue ;; esac
        head -c 1 "$path" > /dev/null || { echo "$name may not run"; exit 1; }
        echo "$name"
    done"#;
    let names = names();
    let mut words = vec!["sh", "-c", script, "sh"];
    words.extend(names.iter().map(String::as_str));
    let found = site.run(&[], &words).expect(0).stdout;
    for name in ["sh", "git", "md5sum", "sort"] {
        assert!(
            found.lines().any(|line| line == name),
            "{env:?}: {name} is not found: {found}"
        );
    }
    for name in ["perl", "cc", "gcc", "ld", "as", "curl", "ssh"] {
        assert!(
            !found.lines().any(|line| line == name),
            "{env:?}: {name} is found"
        );
    }
    let all = format!("NAMES={}", names.join(" "));
    // Without Landlock tests run where the caller says so.
    let options = ["--best-effort", "--env", &all];
    let tested = site.run(&options, &["go", "test", "-v", "."]).expect(0);
    tested.says("found md5sum");
    for script in [
        "echo > /usr/bin/new",
        "ln -s /bin/sh /usr/local/bin/new",
        "rm /usr/bin/sh",
        "mv /usr/bin/sh /usr/bin/cc",
    ] {
        assert_ne!(
            site.run(&[], &["sh", "-c", script]).status,
            0,
            "{env:?}: {script}"
        );
    }
}

in_environments!(a_program_is_allowed_by_its_name_or_path);
fn a_program_is_allowed_by_its_name_or_path(env: Env) {
    let site = site(env);
    let words = [
        "sh",
        "-c",
        "perl -MPOSIX -MData::Dumper -e 'print floor(1.5), qq{\\n}'",
    ];
    assert_ne!(site.run(&[], &words).status, 0, "{env:?}");
    // With the library that it is written in.
    site.run(&["--allow-program", "perl"], &words)
        .expect(0)
        .says("1");
    let tool = site.outside.join("own-tool").to_string_lossy().into_owned();
    assert_ne!(site.run(&[], &["sh", "-c", &tool]).status, 0, "{env:?}");
    site.run(&["--allow-program", &tool], &["sh", "-c", &tool])
        .expect(0)
        .says("own tool");
    site.run(&["--allow-program", &tool], &["sh", "-c", "own-tool"])
        .expect(0)
        .says("own tool");
    let tested = ["go", "test", "-v", "."];
    site.run(
        &["--allow-program", &tool, "--env", "NAMES=own-tool"],
        &tested,
    )
    .expect(0)
    .says("found own-tool");
    for name in ["gcc", "/usr/bin/ld", "x86_64-linux-gnu-gcc-12"] {
        site.run(&["--allow-program", name], &["true"])
            .expect(125)
            .refused("option-value");
    }
}

/// The folders of links are made once, whole, and kept where nothing inside reaches them.
#[test]
fn folders_of_links_are_kept_out_of_reach() {
    let env = Env::User;
    if !env.is_here() {
        return;
    }
    let site = site(env);
    let kept = site.cache().join("path-links");
    // Other tests use the same cache meanwhile.
    let look = || {
        let names = fs::read_dir(&kept).unwrap().map(|it| it.unwrap());
        let whole = names.filter(|it| it.file_name().len() == 64);
        let times = whole.map(|it| (it.file_name(), it.metadata().unwrap().modified().unwrap()));
        times.collect::<Vec<_>>()
    };
    // `/usr/bin` is no file system of its own, as where the view makes the links.
    let script = "stat -f -c %T /usr/bin; ls \"$1\" || test ! -e \"$1\"";
    let words = ["sh", "-c", script, "sh", kept.to_str().unwrap()];
    let ran = site.run(&[], &words).expect(0);
    assert!(!ran.stdout.contains("tmpfs"), "{ran:?}");
    let before = look();
    assert!(!before.is_empty());
    site.run(&[], &words).expect(0);
    let after = look();
    assert!(
        before.iter().all(|it| after.contains(it)),
        "{before:?} {after:?}"
    );
    // Who shows it to programs has links that are made for the run.
    let granted = ["--rw", kept.to_str().unwrap()];
    let ran = site.run(&granted, &words).expect(0);
    assert!(ran.stdout.contains("tmpfs"), "{ran:?}");
}
