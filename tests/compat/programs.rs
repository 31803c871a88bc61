//! Programs and tests behave as they do bare.

use super::*;

const PROGRAM: &str = r#"package main

import (
	"io"
	"os"
	"strconv"
	"syscall"
)

func main() {
	switch os.Args[1] {
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "signal":
		number, _ := strconv.Atoi(os.Args[2])
		syscall.Kill(os.Getpid(), syscall.Signal(number))
		select {}
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	}
}
"#;

fn program(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file("main.go", PROGRAM);
    site.settle();
    site
}

#[test]
fn exit_statuses_and_signals_come_back_as_without_it() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = program(env);
        site.run(&[], &["go", "build", "-o", "prog", "."]).expect(0);
        for (words, status) in [
            (["./prog", "exit", "0"], 0),
            (["./prog", "exit", "7"], 7),
            (["./prog", "exit", "125"], 125),
            (["./prog", "signal", "9"], 137),
            (["./prog", "signal", "15"], 143),
        ] {
            site.run(&[], &words).expect(status);
        }
        same(&site, &["go", "run", ".", "exit", "3"]);
        same(&site, &["go", "run", ".", "signal", "9"]);
        site.run(&[], &["./missing"]).expect(127);
        site.run(&[], &["missing"]).expect(127);
        site.run(&[], &["./go.mod"]).expect(126);
        site.run(&["--no-such-option"], &["go", "version"])
            .expect(125);
    }
}

/// Relative folders of PATH count for nothing, as in a program's own look-up.
#[test]
fn a_command_in_the_callers_path_is_found() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = program(env);
        site.file("tools/README", "");
        site.settle();
        site.run(&[], &["go", "build", "-o", "tools/prog", "."])
            .expect(0);
        let path = std::env::var("PATH").unwrap();
        let with = |folder: &str| {
            let mut command = site.gosandbox(&[], &["prog", "exit", "7"]);
            command.env("PATH", format!("{path}:{folder}"));
            Ended::of(&mut command)
        };
        with(site.work.join("tools").to_str().unwrap()).expect(7);
        with("tools").expect(127).refused("not-found");
    }
}

/// A program in a folder, which writes down its name.
fn tool(folder: &Path, name: &str) {
    let path = folder.join(name);
    crate::support::write_executable(&path, format!("#!/bin/sh\necho {name} >>generated.txt\n"));
}

/// In the caller's GOBIN and GOPATH/bin. Nothing else of these folders is shown.
#[test]
fn go_generate_finds_what_the_callers_go_has_installed() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = program(env);
        tool(&site.home.join("go/bin"), "in-gopath");
        tool(&site.outside, "in-gobin");
        write(&site.outside.join("secret"), "decoysecret");
        tool(&site.home.join(".ssh"), "in-secrets");
        let secret = site.outside.join("secret").display().to_string();
        let directives = format!(
            "package main\n\n//go:generate in-gopath\n//go:generate in-gobin\n//go:generate sh -c \"! cat {secret}\"\n"
        );
        site.file("generate.go", &directives);
        site.settle();
        let generate = |gobin: &Path| {
            let mut command = site.gosandbox(&[], &["go", "generate"]);
            Ended::of(command.env("GOBIN", gobin))
        };
        match env {
            // Without namespaces files cannot be made beside protected paths.
            Env::Restricted | Env::Container => {
                site.file("generated.txt", "");
                site.settle();
            }
            _ => {}
        }
        let ended = generate(&site.outside).expect(0);
        assert!(!ended.stdout.contains("decoysecret"), "{env:?}: {ended:?}");
        let written = fs::read_to_string(site.work.join("generated.txt")).unwrap();
        assert_eq!(written, "in-gopath\nin-gobin\n", "{env:?}");
        site.file("generate.go", "package main\n\n//go:generate in-secrets\n");
        site.settle();
        let ended = generate(&site.home.join(".ssh"));
        assert_ne!(ended.status, 0, "{env:?}: {ended:?}");
    }
}

#[test]
fn standard_input_reaches_the_command() {
    use std::io::Write;
    let site = program(Env::User);
    for words in [&["go", "run", ".", "cat"][..], &["cat"]] {
        let mut child = site
            .gosandbox(&[], words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"handed on\n")
            .unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert_eq!((ended.status, ended.stdout.as_str()), (0, "handed on\n"));
    }
}

/// What tests of ordinary projects do.
const CONTROLS: &str = include_str!("../fixtures/controls/controls_test.go");

#[test]
fn what_tests_do_works() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = program(env);
        site.file("controls_test.go", CONTROLS);
        site.settle();
        let network = if env.has_namespaces() {
            "HAS_NETWORK=yes"
        } else {
            "HAS_NETWORK=no"
        };
        site.run(&["--env", network], &["go", "test", "-count=1", "-v", "."])
            .expect(0);
    }
}

#[test]
fn tests_and_programs_run_go_commands_of_their_own() {
    for env in [Env::User, Env::Restricted] {
        if !env.is_here() {
            continue;
        }
        let site = program(env);
        site.file(
            "nested_test.go",
            "package main\n\nimport (\n\t\"os/exec\"\n\t\"testing\"\n)\n\nfunc TestNested(t *testing.T) {\n\tfor _, words := range [][]string{{\"build\", \"-o\", t.TempDir() + \"/x\", \".\"}, {\"test\", \"./sub\"}, {\"list\", \"-export\", \"./sub\"}} {\n\t\tif out, err := exec.Command(\"go\", words...).CombinedOutput(); err != nil {\n\t\t\tt.Fatalf(\"%v: %v\\n%s\", words, err, out)\n\t\t}\n\t}\n}\n",
        );
        site.file("sub/sub.go", "package sub\n");
        site.file(
            "sub/sub_test.go",
            "package sub\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n",
        );
        site.settle();
        site.warm_own_cache();
        site.run(&[], &["go", "test", "-count=1", "."]).expect(0);
    }
}

#[test]
fn shells_and_make_run_go_commands() {
    for env in [Env::User, Env::Root, Env::Container] {
        if !env.is_here() {
            continue;
        }
        let site = hello(env);
        site.file(
            "Makefile",
            "all:\n\tgo vet ./...\n\tgo test ./...\n\tgo build -o out/made .\n",
        );
        // Without a mount view folders of the work tree are granted, and not the tree itself.
        site.file("out/README", "");
        site.settle();
        site.warm_own_cache();
        site.run(&[], &["sh", "-c", "go vet ./... && go test ./..."])
            .expect(0)
            .says("ok");
        site.run(&[], &["make"]).expect(0);
        assert!(site.work.join("out/made").is_file(), "{env:?}");
    }
}

#[test]
fn fuzzing_finds_and_keeps_a_failure() {
    let site = program(Env::User);
    site.file(
        "fuzz_test.go",
        "package main\n\nimport \"testing\"\n\nfunc FuzzIt(f *testing.F) {\n\tf.Add(\"x\")\n\tf.Fuzz(func(t *testing.T, s string) {\n\t\tif len(s) > 3 {\n\t\t\tt.Fatal(\"long\")\n\t\t}\n\t})\n}\n\nfunc FuzzFine(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) {}) }\n",
    );
    site.settle();
    site.run(&[], &["go", "test", "-fuzz=FuzzFine", "-fuzztime=2s", "."])
        .expect(0);
    site.run(&[], &["go", "test", "-fuzz=FuzzIt", "-fuzztime=20s", "."])
        .expect(1);
    let found = fs::read_dir(site.work.join("testdata/fuzz/FuzzIt")).map(Iterator::count);
    assert!(
        found.is_ok_and(|count| count == 1),
        "the failing input was not kept"
    );
}

#[test]
fn a_tests_time_out_ends_it_with_a_dump() {
    for env in [Env::User, Env::Restricted] {
        let site = program(env);
        site.file("slow_test.go", "package main\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\nfunc TestSlow(t *testing.T) { time.Sleep(time.Hour) }\n");
        site.settle();
        let ended = site
            .run(&[], &["go", "test", "-count=1", "-timeout=1s", "."])
            .expect(1);
        ended
            .says("panic: test timed out after 1s")
            .says("goroutine");
    }
}

/// In a HOME that is new with each run the go command would start its telemetry process with each run.
#[test]
fn the_go_command_keeps_no_telemetry() {
    let told = "go vet . && go telemetry && find -L \"$HOME\" -path '*telemetry*' -type f";
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = program(env);
        site.warm_own_cache();
        let bare = bare(&site, &["sh", "-c", told]);
        bare.expect(0).says("local").says("upload.token");
        let inside = site.run(&[], &["sh", "-c", told]).expect(0);
        let lines: Vec<_> = inside.stdout.lines().collect();
        let home = if env.has_namespaces() {
            "/run/box/home"
        } else {
            ""
        };
        let [mode, file] = lines[..] else {
            panic!("{env:?}: {lines:?}");
        };
        assert_eq!(mode, "off", "{env:?}");
        let of_home = file.strip_suffix("/.config/go/telemetry/mode").unwrap();
        assert!(of_home.starts_with(home), "{env:?}: {file}");
    }
}

/// Go 1.25 ships few of its tools built: it builds one where it builds everything, executes it there, and only
/// then keeps it in GOCACHE.
#[test]
fn a_tool_of_gos_own_runs_also_where_go_builds_it_first() {
    for site in sites() {
        let site = program(site.env);
        site.run(&[], &["go", "build", "-o", "program"]).expect(0);
        for _ in 0..2 {
            forget(&site.cache().join("go-build"), "buildid");
            let ended = site.run(&[], &["go", "tool", "buildid", "program"]);
            ended.expect(0).says("/");
        }
    }
}

/// Takes a tool out of GOCACHE.
fn forget(cache: &std::path::Path, tool: &str) {
    for folder in fs::read_dir(cache).unwrap().flatten() {
        for entry in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if entry.path().join(tool).exists() {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
}
