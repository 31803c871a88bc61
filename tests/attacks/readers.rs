//! The go command's own tools read for a stranger's source: what they may not read, they cannot print.

use std::os::unix::fs::symlink;

use crate::support::{Ended, Env, Site, write};

/// Of a form that readers of go.mod show where they stumble over it.
const SECRET: &str = "decoysecret=\"is here\"\n";

/// Prepares a project.
type Make = Box<dyn Fn(&Site)>;

/// Sources that make a tool print a line of a file outside.
fn sources() -> Vec<(&'static str, Make)> {
    vec![
        (
            "a link named as a source file",
            Box::new(|site: &Site| {
                symlink("../outside/secret", site.work.join("x.go")).unwrap();
            }),
        ),
        (
            "an include of the assembler",
            Box::new(|site: &Site| {
                site.file("x.go", "package main\n\nfunc f()\n");
                let secret = site.outside.join("secret");
                site.file("x_amd64.s", &format!("#include \"{}\"\n", secret.display()));
            }),
        ),
        (
            "an embedded link",
            Box::new(|site: &Site| {
                symlink("../outside", site.work.join("folder")).unwrap();
                site.file("x.go", "package main\n\nimport _ \"embed\"\n\n//go:embed folder/secret\nvar s string\n\nfunc init() { println(s) }\n");
            }),
        ),
        (
            "a linked go.mod",
            Box::new(|site: &Site| {
                std::fs::remove_file(site.work.join("go.mod")).unwrap();
                symlink("../outside/secret", site.work.join("go.mod")).unwrap();
            }),
        ),
        (
            "a linked go.sum",
            Box::new(|site: &Site| {
                // Before Go 1.17 every line of go.sum may be of a module that is needed.
                site.file("go.mod", "module example.com/m\n\ngo 1.16\n");
                symlink("../outside/secret", site.work.join("go.sum")).unwrap();
            }),
        ),
        (
            "a linked go.work",
            Box::new(|site: &Site| {
                symlink("../outside/secret", site.work.join("go.work")).unwrap();
            }),
        ),
        (
            "a linked vendor/modules.txt",
            Box::new(|site: &Site| {
                site.file("vendor/README", "");
                symlink("../../outside/secret", site.work.join("vendor/modules.txt")).unwrap();
            }),
        ),
        (
            "a linked policy",
            Box::new(|site: &Site| {
                symlink("../outside/secret", site.work.join(".gosandbox.toml")).unwrap();
            }),
        ),
    ]
}

#[test]
fn no_tool_prints_a_line_of_a_file_outside() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for (what, make) in sources() {
            let site = Site::new(env);
            site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
            site.file("main.go", "package main\n\nfunc main() {}\n");
            write(&site.outside.join("secret"), SECRET);
            make(&site);
            site.settle();
            for words in [
                &["go", "build", "-o", "/dev/null", "."][..],
                &["go", "vet", "."],
                &["go", "run", "."],
                &["sh", "-c", "true"],
            ] {
                let ended = site.run(&[], words);
                let said = format!("{}{}", ended.stdout, ended.stderr);
                assert!(
                    !said.contains("decoysecret"),
                    "{env:?} {what} {words:?}: {ended:?}"
                );
            }
        }
    }
}

#[test]
fn a_tool_prints_it_without_gosandbox() {
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    write(&site.outside.join("secret"), SECRET);
    symlink("../outside/secret", site.work.join("x.go")).unwrap();
    site.settle();
    Ended::of(&mut site.bare(&["go", "build", "."])).says("decoysecret");
}

/// `*.go` is enough to name it.
#[test]
fn a_link_that_is_named_grants_nothing_that_it_leads_to() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file("main.go", "package main\n\nfunc main() {}\n");
        write(&site.outside.join("secret"), SECRET);
        write(&site.outside.join("other.go"), "package main\n");
        symlink("../outside/secret", site.work.join("zz_windows.go")).unwrap();
        symlink("../outside/other.go", site.work.join("other.go")).unwrap();
        symlink("../outside", site.work.join("folder")).unwrap();
        site.settle();
        for words in [
            &["go", "run", "main.go", "zz_windows.go"][..],
            &["go", "vet", "main.go", "zz_windows.go"],
            &["go", "test", "main.go", "zz_windows.go"],
            &["go", "tool", "cover", "-func=zz_windows.go"],
            &["go", "tool", "cover", "-func=folder/secret"],
            &["go", "build", "-pgo=folder/secret", "main.go"],
        ] {
            let ended = site.run(&[], words);
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(
                !said.contains("decoysecret"),
                "{env:?} {words:?}: {ended:?}"
            );
            ended.expect(125).refused("outside-repository").says("--ro");
        }
        let other = site.outside.join("other.go");
        let words = ["go", "run", "main.go", "other.go"];
        site.run(&["--ro", other.to_str().unwrap()], &words)
            .expect(0);
    }
}

#[test]
fn it_grants_that_without_gosandbox() {
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", "package main\n\nfunc main() {}\n");
    write(&site.outside.join("secret"), SECRET);
    symlink("../outside/secret", site.work.join("zz_windows.go")).unwrap();
    site.settle();
    let words = ["go", "run", "main.go", "zz_windows.go"];
    Ended::of(&mut site.bare(&words)).says("decoysecret");
}

#[test]
fn a_replacement_outside_the_repository_is_refused_with_the_flag_that_grants_it() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../outside/lib\n");
        site.file(
            "main.go",
            "package main\n\nimport _ \"example.com/lib\"\n\nfunc main() {}\n",
        );
        write(
            &site.outside.join("lib/go.mod"),
            "module example.com/lib\n\ngo 1.21\n",
        );
        write(&site.outside.join("lib/lib.go"), "package lib\n");
        site.settle();
        site.run(&[], &["go", "build", "-o", "/dev/null", "."])
            .expect(125)
            .says("--ro");
        let lib = site.outside.join("lib");
        site.run(
            &["--ro", lib.to_str().unwrap()],
            &["go", "build", "-o", "/dev/null", "."],
        )
        .expect(0);
    }
}
