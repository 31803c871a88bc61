//! What is written where: binaries, coverage and profiles, cached results.

use super::*;

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
    let site = hello(Env::User);
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

/// go describes packages without tests in their parts of `$WORK`, for each test to read.
#[test]
fn coverage_counts_packages_without_tests() {
    for site in sites() {
        site.copy(&checkout().join("examples/hello"));
        site.settle();
        let words = |file: &'static str| ["go", "test", "-coverpkg=./...", file, "./..."];
        let ended = site.run(&[], &words("-coverprofile=within.out")).expect(0);
        let without = bare(&site, &words("-coverprofile=without.out")).expect(0);
        assert_eq!(masked(&ended.stdout), masked(&without.stdout));
        // Each test lists the packages in an order of its own, bare too.
        let read = |name: &str| {
            let text = fs::read_to_string(site.work.join(name)).unwrap();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(read("within.out"), read("without.out"), "{:?}", site.env);
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

/// As bare: the folders of what is built are made, and that of a test's artifacts.
#[test]
fn folders_of_outputs_are_made() {
    for site in sites() {
        site.copy(&checkout().join("examples/hello"));
        site.file("greeting/made_test.go", "//go:build go1.26\n\npackage greeting\n\nimport (\n\t\"os\"\n\t\"path/filepath\"\n\t\"testing\"\n)\n\nfunc TestArtifact(t *testing.T) {\n\tif err := os.WriteFile(filepath.Join(t.ArtifactDir(), \"made\"), nil, 0o644); err != nil {\n\t\tt.Error(err)\n\t}\n}\n");
        site.settle();
        let outside = site.outside.join("new/folder/app");
        for place in ["bin/new/app", outside.to_str().unwrap()] {
            site.run(&[], &["go", "build", "-o", place, "."]).expect(0);
            assert!(site.work.join(place).is_file(), "{:?} {place}", site.env);
        }
        site.run(&[], &["go", "test", "-artifacts", "./greeting"])
            .expect(0);
        let is_made = site.work.join("_artifacts").is_dir();
        assert!(is_made, "{:?}", site.env);
    }
}

/// Inside, `/dev/shm` is the run's own.
#[test]
fn outputs_in_shared_memory_are_written() {
    for site in sites() {
        site.copy(&checkout().join("examples/hello"));
        site.settle();
        let name = format!("gosandbox-compat-{}-{:?}", std::process::id(), site.env);
        let place = std::path::Path::new("/dev/shm").join(name);
        let [app, cover, cpu] = ["app", "c.out", "cpu.out"].map(|name| place.with_extension(name));
        let flags = [
            format!("-coverprofile={}", cover.display()),
            format!("-cpuprofile={}", cpu.display()),
        ];
        for words in [
            &["go", "build", "-o", app.to_str().unwrap(), "."][..],
            &["go", "test", "-count=1", &flags[0], &flags[1], "./greeting"],
        ] {
            site.run(&[], words).expect(0);
        }
        for path in [app, cover, cpu] {
            let size = fs::metadata(&path).map(|found| found.len());
            fs::remove_file(&path).ok();
            assert!(
                size.as_ref().is_ok_and(|size| *size > 0),
                "{:?} {}: {size:?}",
                site.env,
                path.display()
            );
        }
    }
}
