//! Ordinary work gives what it gives without gosandbox: output, exit status, bytes, cached results.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use support::{Ended, Env, Site, checkout, copy_tree, goroot, write};

const MODULE: &str = "module example.com/m\n\ngo 1.21\n";

/// A project in each environment that is here and has a network of its own.
fn sites() -> impl Iterator<Item = Site> {
    Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(Site::new)
}

fn hello(env: Env) -> Site {
    let site = Site::new(env);
    site.copy(&checkout().join("examples/hello"));
    age(&site.work);
    site.settle();
    site
}

/// go does not cache the result of a test that reads what changed within the last two seconds.
fn age(folder: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        }
        fs::File::open(&path).unwrap().set_modified(then).unwrap();
    }
}

/// Bare, with the caches that gosandbox uses: what is compared is the same work.
fn bare(site: &Site, words: &[&str]) -> Ended {
    let mut command = site.bare(words);
    command.env("CGO_ENABLED", "0").env("GOFLAGS", "");
    Ended::of(&mut command)
}

#[track_caller]
fn same(site: &Site, words: &[&str]) {
    let without = bare(site, words);
    let within = site.run(&[], words);
    assert_eq!(
        (
            within.status,
            masked(&within.stdout),
            masked(&within.stderr)
        ),
        (
            without.status,
            masked(&without.stdout),
            masked(&without.stderr)
        ),
        "{:?} {words:?}",
        site.env
    );
}

/// Times differ from run to run.
fn masked(text: &str) -> String {
    let word = |word: &str| {
        let number = word
            .trim_start_matches('(')
            .trim_end_matches(')')
            .trim_end_matches('s');
        if number.len() < word.len() && number.parse::<f64>().is_ok() || word == "(cached)" {
            "TIME".into()
        } else {
            word.to_owned()
        }
    };
    text.lines()
        .map(|line| {
            line.split([' ', '\t'])
                .map(word)
                .collect::<Vec<_>>()
                .join(" ")
                + "\n"
        })
        .collect()
}

#[test]
fn everyday_commands_say_and_return_the_same() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = hello(env);
        for words in [
            &["go", "build", "./..."][..],
            &["go", "vet", "./..."],
            &["go", "test", "./..."],
            &["go", "run", ".", "world"],
            &["go", "list", "./..."],
            &["go", "fmt", "./..."],
            &["go", "mod", "verify"],
            &["go", "mod", "tidy"],
            &["go", "version"],
            &["go", "generate", "./..."],
            &["go", "doc", "fmt.Println"],
            &["go", "tool", "compile", "-V"],
            &["go", "build", "./missing"],
            &["go", "vet", "-nosuchflag"],
            &["gofmt", "-l", "."],
        ] {
            same(&site, words);
        }
    }
}

#[test]
fn a_binary_has_the_same_bytes() {
    for example in ["hello", "vendored"] {
        for env in Env::ALL {
            if !env.is_here() {
                continue;
            }
            let site = Site::new(env);
            site.copy(&checkout().join("examples").join(example));
            site.settle();
            site.run(&[], &["go", "build", "-o", "within", "."])
                .expect(0);
            bare(&site, &["go", "build", "-o", "without", "."]).expect(0);
            let read = |name: &str| fs::read(site.work.join(name)).unwrap();
            assert!(
                read("within") == read("without"),
                "{env:?} {example}: the binaries differ"
            );
        }
    }
}

#[test]
fn test_results_are_cached() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = hello(env);
        site.run(&[], &["go", "test", "./..."]).expect(0);
        site.run(&[], &["go", "test", "./..."])
            .expect(0)
            .says("(cached)");
    }
}

#[test]
fn a_changed_file_that_a_test_reads_is_noticed() {
    let site = hello(Env::E1);
    site.run(&[], &["go", "test", "./..."]).expect(0);
    let file = site.work.join("greeting/testdata/greetings.txt");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "\n").unwrap();
    let ended = site.run(&[], &["go", "test", "./greeting"]);
    assert!(!ended.stdout.contains("(cached)"), "{ended:?}");
}

#[test]
fn coverage_and_profiles_are_written_where_they_are_asked_for() {
    for site in sites() {
        site.copy(&checkout().join("examples/hello"));
        site.settle();
        let outside = site.outside.join("c.out");
        let outside_flag = format!("-coverprofile={}", outside.display());
        for words in [
            &["go", "test", "-cover", "./..."][..],
            &["go", "test", "-coverprofile=c.out", "./..."],
            &["go", "test", &outside_flag, "./..."],
            &[
                "go",
                "test",
                "-count=1",
                "-cpuprofile=cpu.out",
                "-memprofile=mem.out",
                "./greeting",
            ],
            &["go", "test", "-json", "./..."],
            &["go", "test", "-count=1", "-trace=t.out", "./greeting"],
        ] {
            site.run(&[], words).expect(0);
        }
        for path in [
            site.work.join("c.out"),
            site.work.join("cpu.out"),
            site.work.join("mem.out"),
            site.work.join("t.out"),
            outside,
        ] {
            let size = fs::metadata(&path).map(|found| found.len());
            assert!(
                size.as_ref().is_ok_and(|size| *size > 0),
                "{:?} {}: {size:?}",
                site.env,
                path.display()
            );
        }
        let cover = site
            .run(&[], &["go", "tool", "cover", "-func=c.out"])
            .expect(0);
        cover.says("total:");
    }
}

#[test]
fn outputs_outside_the_work_tree_are_written() {
    for site in sites() {
        site.copy(&checkout().join("examples/hello"));
        site.settle();
        let place = site.outside.join("app");
        site.run(&[], &["go", "build", "-o", place.to_str().unwrap(), "."])
            .expect(0);
        assert!(place.is_file(), "{:?}", site.env);
        let folder = site.outside.join("bin");
        fs::create_dir(&folder).unwrap();
        site.settle();
        let slash = format!("{}/", folder.display());
        site.run(&[], &["go", "build", "-o", &slash, "./..."])
            .expect(0);
        assert!(folder.join("hello").is_file(), "{:?}", site.env);
        let mut install = site.gosandbox(&[], &["go", "install", "."]);
        Ended::of(install.env("GOBIN", &site.outside)).expect(0);
        assert!(site.outside.join("hello").is_file(), "{:?}", site.env);
        let tmp = std::env::temp_dir().join(format!(
            "gosandbox-compat-{}-{:?}",
            std::process::id(),
            site.env
        ));
        site.run(&[], &["go", "build", "-o", tmp.to_str().unwrap(), "."])
            .expect(0);
        assert!(tmp.is_file(), "{:?}", site.env);
        fs::remove_file(tmp).unwrap();
    }
}

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

#[test]
fn standard_input_reaches_the_command() {
    use std::io::Write;
    let site = program(Env::E1);
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
const CONTROLS: &str = include_str!("fixtures/controls/controls_test.go");

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
    for env in [Env::E1, Env::E2] {
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
        site.run(&[], &["go", "test", "-count=1", "."]).expect(0);
    }
}

#[test]
fn shells_and_make_run_go_commands() {
    for env in [Env::E1, Env::E3, Env::E4] {
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
        site.run(&[], &["sh", "-c", "go vet ./... && go test ./..."])
            .expect(0)
            .says("ok");
        site.run(&[], &["make"]).expect(0);
        assert!(site.work.join("out/made").is_file(), "{env:?}");
    }
}

#[test]
fn fuzzing_finds_and_keeps_a_failure() {
    let site = program(Env::E1);
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
    for env in [Env::E1, Env::E2] {
        let site = program(env);
        site.file("slow_test.go", "package main\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\nfunc TestSlow(t *testing.T) { time.Sleep(time.Minute) }\n");
        site.settle();
        let start = Instant::now();
        let ended = site
            .run(&[], &["go", "test", "-count=1", "-timeout=1s", "."])
            .expect(1);
        ended
            .says("panic: test timed out after 1s")
            .says("goroutine");
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn the_race_detector_is_refused_with_its_reason() {
    let site = hello(Env::E1);
    site.run(&[], &["go", "test", "-race", "./..."]).says("cgo");
}

#[test]
fn work_trees_may_lie_anywhere_and_have_odd_names() {
    for env in [Env::E1, Env::E3, Env::E4] {
        if !env.is_here() {
            continue;
        }
        for name in ["with spaces", "ünïcode", "quo'te", "col:on"] {
            let site = Site::new(env);
            let folder = site.work.join(name);
            copy_tree(&checkout().join("examples/hello"), &folder);
            site.settle();
            let directory = folder.to_str().unwrap();
            site.run(&["-C", directory], &["go", "build", "-o", "out", "."])
                .expect(0);
            site.run(&["-C", directory], &["go", "test", "./..."])
                .expect(0);
            assert!(folder.join("out").is_file());
        }
    }
}

#[test]
fn a_work_tree_below_the_temporary_folder_works() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        let folder = Path::new("/tmp").join(site.root.file_name().unwrap());
        copy_tree(&checkout().join("examples/hello"), &folder);
        fs::rename(&folder, site.work.join("moved")).ok();
        if site.work.join("moved").exists() {
            site.settle();
            fs::rename(site.work.join("moved"), &folder).unwrap();
        }
        let directory = folder.to_str().unwrap();
        let vet = site.run(&["-C", directory], &["go", "test", "./..."]);
        fs::remove_dir_all(&folder).unwrap();
        vet.expect(0);
    }
}

#[test]
fn a_work_tree_that_nobody_may_write_can_be_built_from() {
    use std::os::unix::fs::PermissionsExt;
    let site = hello(Env::E1);
    for folder in [site.work.join("greeting"), site.work.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let place = site.outside.join("app");
    site.run(&[], &["go", "build", "-o", place.to_str().unwrap(), "."])
        .expect(0);
    site.run(&[], &["go", "test", "./..."]).expect(0);
    fs::set_permissions(&site.work, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn workspaces_and_local_replacements_work() {
    for env in [Env::E1, Env::E2, Env::E3] {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        site.file("go.work", "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n");
        site.file("lib/go.mod", "module example.com/lib\n\ngo 1.21\n");
        site.file("lib/lib.go", "package lib\n\nconst Name = \"lib\"\n");
        site.file("app/go.mod", "module example.com/app\n\ngo 1.21\n");
        site.file(
            "app/main.go",
            "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Name) }\n",
        );
        site.file("other/go.mod", "module example.com/other\n\ngo 1.21\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n");
        site.file(
            "other/main.go",
            "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Name) }\n",
        );
        write(&site.work.join(".git/HEAD"), "ref: refs/heads/main\n");
        write(&site.work.join(".git/config"), "");
        write(&site.work.join(".git/objects/x"), "");
        write(&site.work.join(".git/refs/x"), "");
        site.settle();
        site.run(&["-C", "app"], &["go", "run", "."])
            .expect(0)
            .says("lib");
        let mut other = site.gosandbox(&["-C", "other"], &["go", "run", "."]);
        Ended::of(other.env("GOWORK", "off")).expect(0).says("lib");
        site.run(&[], &["go", "build", "-o", "/dev/null", "./app"])
            .expect(0);
    }
}

#[test]
fn a_missing_go_says_where_it_looked() {
    let site = hello(Env::E1);
    let mut command = site.gosandbox(&[], &["go", "version"]);
    let ended = Ended::of(command.env("PATH", "/nonexistent/decoy"));
    assert!(ended.status == 125 || ended.status == 127, "{ended:?}");
    ended.says("/nonexistent/decoy");
    let _ = goroot();
}
