//! What steers the go command from outside: flags, variables, files, PATH.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Ended, Env, Site, goroot, write, write_executable};

pub(crate) fn site() -> Site {
    site_in(Env::User)
}

pub(crate) fn site_in(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file(
        "main.go",
        "package main\n\nfunc main() { println(\"ran\") }\n",
    );
    site.file(
        "main_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n",
    );
    site
}

/// A program that leaves a mark where it runs.
pub(crate) fn marker(site: &Site, name: &str) -> (String, std::path::PathBuf) {
    let mark = site.root.join("marked");
    let program = site.root.join("outside").join(name);
    write_executable(
        &program,
        format!("#!/bin/sh\n: > {}\nexec \"$@\"\n", mark.display()),
    );
    site.settle();
    (program.to_string_lossy().into_owned(), mark)
}

pub(crate) fn with(site: &Site, name: &str, value: &str, words: &[&str]) -> Ended {
    Ended::of(site.gosandbox(&[], words).env(name, value))
}

#[test]
fn goflags_cannot_run_a_program() {
    for flag in ["-toolexec", "-exec", "-vettool"] {
        let site = site();
        let (program, mark) = marker(&site, "helper");
        let value = format!("{flag}={program}");
        for words in [
            &["go", "build", "."][..],
            &["go", "test", "."],
            &["go", "run", "."],
            &["go", "vet", "."],
        ] {
            let ended = with(&site, "GOFLAGS", &value, words);
            assert_eq!(ended.status, 125, "{flag} {words:?}: {ended:?}");
            assert!(
                ended.stderr.contains(flag.trim_start_matches('-')),
                "{ended:?}"
            );
            assert!(!mark.exists(), "{flag} {words:?}");
        }
        let bare = Ended::of(
            site.bare(&["go", "test", "-count=1", "."])
                .env("GOFLAGS", format!("-buildvcs=false {value}")),
        );
        assert!(
            mark.exists() || flag == "-vettool",
            "{flag} has no effect bare: {bare:?}"
        );
    }
}

#[test]
fn goflags_cannot_swap_files_or_weaken_modules() {
    for value in [
        "-overlay=o.json",
        "-modfile=/tmp/other.mod",
        "-ldflags=-extld=/bin/true",
        "-pkgdir=/tmp",
    ] {
        let site = site();
        site.settle();
        let ended = with(&site, "GOFLAGS", value, &["go", "build", "."]);
        assert_eq!(ended.status, 125, "{value}: {ended:?}");
    }
    // Left aside: it changes nothing, and a project that needs it does not build.
    let site = site();
    site.file(
        "main.go",
        "package main\n\nimport _ \"other.example\"\n\nfunc main() {}\n",
    );
    site.settle();
    let before = std::fs::read(site.work.join("go.mod")).unwrap();
    let ended = with(&site, "GOFLAGS", "-mod=mod", &["go", "build", "."]);
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("-mod=mod in GOFLAGS is left aside"),
        "{ended:?}"
    );
    assert_eq!(std::fs::read(site.work.join("go.mod")).unwrap(), before);
}

#[test]
fn flags_on_the_command_line_cannot_run_a_program() {
    let site = site();
    let (program, mark) = marker(&site, "helper");
    for words in [
        vec!["go", "build", "-toolexec", &program, "."],
        vec!["go", "test", "-exec", &program, "."],
        vec!["go", "test", "-exec=", "."],
        vec!["go", "test", "--exec=x", "."],
        vec!["go", "run", "-exec", &program, "."],
        vec!["go", "vet", "-vettool", &program, "."],
        vec![
            "go",
            "build",
            "-ldflags=-extld=/usr/bin/gcc -linkmode=external",
            ".",
        ],
        vec!["go", "build", "-ldflags", "all=-linkmode external", "."],
        vec!["go", "build", "-modfile=/tmp/x.mod", "."],
        vec!["go", "build", "-overlay", "/tmp/x.json", "."],
        vec!["go", "-C", ".", "build", "-toolexec", &program, "."],
    ] {
        let ended = site.run(&[], &words);
        assert_eq!(ended.status, 125, "{words:?}: {ended:?}");
        assert!(!mark.exists(), "{words:?}");
    }
}

/// Go 1.25 has no tool of that name any more, and takes the module's.
#[test]
fn a_module_names_no_tool_of_its_own_as_go_names_its_own() {
    for env in [Env::User, Env::Restricted] {
        let site = site_in(env);
        site.file(
            "go.mod",
            "module example.com/m\n\ngo 1.24\n\ntool example.com/m/doc\n",
        );
        site.file(
            "doc/doc.go",
            "package main\n\nimport \"os\"\n\nfunc main() {\n\tfor _, name := range []string{\"GOCACHE\", \"GOMODCACHE\"} {\n\t\t_ = os.WriteFile(os.Getenv(name)+\"/planted\", nil, 0o644)\n\t}\n}\n",
        );
        site.settle();
        site.warm_own_cache();
        let caches = ["go-build", "mod"].map(|name| site.cache().join(name).join("planted"));
        // Go keeps what it has built, and executes it there the second time.
        for _ in 0..2 {
            let ended = site.run(&[], &["go", "tool", "doc"]);
            let planted = caches.iter().filter(|path| fs::remove_file(path).is_ok());
            assert_eq!(planted.count(), 0, "{env:?}: {ended:?}");
        }
    }
    let site = site();
    let mark = site.outside.join("marked");
    site.file(
        "go.mod",
        "module example.com/m\n\ngo 1.24\n\ntool example.com/m/doc\n",
    );
    let program = format!(
        "package main\n\nimport \"os\"\n\nfunc main() {{ _ = os.WriteFile({mark:?}, nil, 0o644) }}\n"
    );
    site.file("doc/doc.go", &program);
    site.settle();
    let bare = Ended::of(&mut site.bare(&["go", "tool", "doc"]));
    assert!(mark.exists(), "bare: {bare:?}");
}

#[test]
fn a_goenv_file_has_no_effect() {
    let site = site();
    let (program, mark) = marker(&site, "helper");
    let file = site.home.join(".config/go/env");
    write(
        &file,
        &format!("GOFLAGS=-toolexec={program}\nCC={program}\nCGO_ENABLED=1\nGOSUMDB=off\n"),
    );
    site.settle();
    site.run(&[], &["go", "build", "-o", "/dev/null", "."])
        .expect(0);
    let named = with(
        &site,
        "GOENV",
        &file.to_string_lossy(),
        &["go", "build", "-o", "/dev/null", "."],
    );
    named.expect(0);
    assert!(!mark.exists());
    let shown = site
        .run(&[], &["go", "env", "GOFLAGS", "CGO_ENABLED", "GOSUMDB"])
        .expect(0);
    assert!(
        !shown.stdout.contains("toolexec") && !shown.stdout.contains("off\n"),
        "{shown:?}"
    );
    let bare = Ended::of(&mut {
        let mut command = site.bare(&["go", "build", "-o", "/dev/null", "."]);
        command.env_remove("GOFLAGS");
        command
    });
    assert!(mark.exists(), "it has no effect bare: {bare:?}");
}

#[test]
fn variables_cannot_weaken_the_module_policy() {
    let site = site();
    site.settle();
    let mut command = site.gosandbox(
        &[],
        &[
            "go",
            "env",
            "GOSUMDB",
            "GONOSUMDB",
            "GOINSECURE",
            "GOPROXY",
            "GOPRIVATE",
            "GONOPROXY",
            "GOVCS",
            "GOAUTH",
        ],
    );
    for (name, value) in [
        ("GOSUMDB", "off"),
        ("GONOSUMDB", "*"),
        ("GONOSUMCHECK", "1"),
        ("GOINSECURE", "*"),
        ("GOPROXY", "direct"),
        ("GOPRIVATE", "*"),
        ("GONOPROXY", "*"),
        ("GOVCS", "*:all"),
        ("GOAUTH", "git dir"),
    ] {
        command.env(name, value);
    }
    let ended = Ended::of(&mut command).expect(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "sum.golang.org", "{ended:?}");
    assert_eq!((lines[1], lines[2]), ("", ""), "{ended:?}");
    assert!(!lines[3].contains("direct"), "{ended:?}");
    assert_eq!(
        (lines[4], lines[5], lines[6], lines[7]),
        ("", "", "*:off", "off"),
        "{ended:?}"
    );
}

#[test]
fn cgo_stays_off_whatever_the_environment_says() {
    let site = site();
    let (program, mark) = marker(&site, "cc");
    site.file(
        "c.go",
        "package main\n\n// int one(void) { return 1; }\nimport \"C\"\n\nvar One = C.one()\n",
    );
    site.settle();
    for name in ["CC", "CXX", "PKG_CONFIG", "AR", "FC", "GCCGO"] {
        let mut command = site.gosandbox(&[], &["go", "build", "-o", "/dev/null", "."]);
        // With cgo the file with `import "C"` would be compiled, for which there is no compiler.
        let ended = Ended::of(command.env(name, &program).env("CGO_ENABLED", "1")).expect(0);
        assert!(!mark.exists(), "{name}: {ended:?}");
    }
}

#[test]
fn an_inherited_goroot_counts_for_nothing() {
    let site = site();
    let (program, mark) = marker(&site, "go");
    let fake = site.outside.join("goroot");
    write(&fake.join("VERSION"), "go1.26.8\n");
    write_executable(&fake.join("bin/go"), fs::read(&program).unwrap());
    site.settle();
    let ended = with(
        &site,
        "GOROOT",
        &fake.to_string_lossy(),
        &["go", "env", "GOROOT"],
    )
    .expect(0);
    assert_eq!(ended.stdout.trim(), goroot().to_string_lossy());
    assert!(!mark.exists());
}

#[test]
fn a_go_command_from_an_untrusted_place_is_not_run() {
    let site = site();
    let (program, mark) = marker(&site, "go");
    let script = fs::read_to_string(&program).unwrap();
    let real = goroot().join("bin");
    let fake = |folder: &Path| {
        write_executable(&folder.join("go"), &script);
    };
    let in_project = site.work.join("bin");
    fake(&in_project);
    let writable = site.root.join("writable");
    fake(&writable);
    fake(&site.work);
    site.settle();
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o777)).unwrap();
    for path in [
        format!("{}:{}", in_project.display(), real.display()),
        format!("{}:{}", writable.display(), real.display()),
        format!(".:{}", real.display()),
        format!(":{}", real.display()),
        format!("bin:{}", real.display()),
    ] {
        let ended = with(&site, "PATH", &path, &["go", "version"]);
        assert!(!mark.exists(), "{path}: {ended:?}");
        let is_real = ended.status == 0 && ended.stdout.starts_with("go version go1");
        assert!(is_real || ended.status == 125, "{path}: {ended:?}");
    }
    let ended = site.run(&[], &["./go", "version"]);
    assert!(ended.status != 0 && !mark.exists(), "{ended:?}");
    let bare = Ended::of(
        site.bare(&["sh", "-c", "go version"])
            .env("PATH", format!("{}:/usr/bin:/bin", in_project.display())),
    );
    assert!(mark.exists(), "{bare:?}");
}

#[test]
fn ld_preload_reaches_nothing() {
    let site = site();
    site.settle();
    for name in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "BASH_ENV",
        "ENV",
        "GIT_EXEC_PATH",
        "GIT_CONFIG_COUNT",
        "GOCACHEPROG",
        "GOPACKAGESDRIVER",
    ] {
        let mut command =
            site.gosandbox(&[], &["sh", "-c", &format!("test -z \"${{{name}+set}}\"")]);
        Ended::of(command.env(name, "/nonexistent/decoy")).expect(0);
    }
}
