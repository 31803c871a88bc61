//! A test beside the go command and the compiler of another package: what these read, and where they write,
//! is not the test's to say.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::support::in_environments;
use crate::support::{Ended, Env, Site};

const ARGUMENTS: &str = include_str!("../fixtures/arguments_test.go");
const SIBLINGS: &str = include_str!("../fixtures/siblings_test.go");
const COUNTERS: &str = include_str!("../fixtures/counters_test.go");
const CORPUS: &str = include_str!("../fixtures/corpus_test.go");
const BUILT: &str = include_str!("../fixtures/built_test.go");
const BINARY: &str = include_str!("../fixtures/binary_test.go");
const EXCHANGE: &str = include_str!("../fixtures/exchange_test.go");

/// What the first package needs is compiled before.
const FIRST: [&str; 4] = ["go", "test", "-run=^$", "./a"];
/// The second package is compiled and tested beside the first one's test, which waits for it.
const BOTH: [&str; 6] = ["go", "test", "-v", "-p=3", "./a", "./b"];

/// A package whose compiler needs more arguments than a command line takes, above one that takes so long to
/// compile that a test of a third runs before.
fn project(site: &Site, attack: &str) {
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("a/a_test.go", attack);
    site.file("a/built_test.go", BUILT);
    site.file("b/testdata/README", "");
    for number in 0..180 {
        let name = format!("b/{}{number}.go", "y".repeat(200));
        site.file(&name, "package b\n");
    }
    let b = "package b\n\nimport _ \"example.com/m/slow\"\n\nconst Says = `honest`\n";
    site.file("b/b.go", b);
    let test = "package b_test\n\nimport (\n\t\"os\"\n\t\"testing\"\n\n\t\"example.com/m/b\"\n)\n\n\
                func TestB(t *testing.T) {\n\tt.Log(b.Says)\n\t\
                if err := os.WriteFile(\"testdata/built\", nil, 0o644); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n";
    site.file("b/b_test.go", test);
    let mut slow = "package slow\n\n".to_owned();
    for number in 0..4000 {
        writeln!(
            slow,
            "func F{number}(n int) (s int) {{ for i := range n {{ for j := range i {{ s += i*j%(s+{number}+1) }} }}; return }}"
        )
        .unwrap();
    }
    site.file("slow/slow.go", &slow);
    site.settle();
}

#[test]
fn a_test_cannot_write_what_go_tells_the_compiler_of_another_package() {
    // It has a moment between two steps of go's: one of many tries hits it.
    let succeeds = (0..20).any(|number| {
        let bare = Site::new(Env::User);
        project(&bare, ARGUMENTS);
        bare.file(
            "slow/other.go",
            &format!("package slow\n\nconst Try = {number}\n"),
        );
        bare.settle();
        Ended::of(&mut bare.bare(&FIRST)).expect(0);
        // In no folder that it shares with the other test here.
        let mut command = bare.bare(&BOTH);
        let ended = Ended::of(command.env("TMPDIR", &bare.outside)).expect(0);
        ended.stdout.contains("evil")
    });
    assert!(succeeds, "without gosandbox");
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        project(&site, ARGUMENTS);
        site.run(&[], &FIRST).expect(0);
        let ended = site.run(&[], &BOTH).expect(0).says("honest");
        assert!(!ended.stdout.contains("evil"), "{env:?}: {ended:?}");
    }
}

/// They count in HOME, where a link that they follow may be.
#[test]
fn a_test_cannot_have_the_go_tools_write_where_it_cannot() {
    let counted = |site: &Site| {
        let is_one = |path: &&Path| path.extension().is_some_and(|name| name == "count");
        let all = site.listing();
        all.iter().map(|path| path.as_path()).filter(is_one).count()
    };
    let bare = Site::new(Env::User);
    project(&bare, COUNTERS);
    Ended::of(&mut bare.bare(&FIRST)).expect(0);
    Ended::of(&mut bare.bare(&BOTH)).expect(0);
    assert!(counted(&bare) > 0);
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        project(&site, COUNTERS);
        site.run(&[], &FIRST).expect(0);
        site.run(&[], &BOTH).expect(0);
        assert_eq!(counted(&site), 0, "{env:?}");
    }
}

/// Where a flag makes go keep a test's binary, and the test may write the tree, as in the profile ci.
fn a_test_cannot_have_go_write_its_binary_through_a_link(env: Env) {
    let words = ["go", "test", "-count=1", "-cpuprofile=cpu.out", "."];
    // As an archive begins: go overwrites nothing that is no object.
    let archive = "!<arch>\n";
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("a/a_test.go", BINARY);
    let theirs = site.outside.join("victim");
    fs::write(&theirs, archive).unwrap();
    site.settle();
    let folder = site.work.join("a");
    let mut bare = site.bare(&words);
    // From another file system it is copied, as it is inside.
    bare.current_dir(&folder).env("GOTMPDIR", "/dev/shm");
    Ended::of(bare.env("VICTIM", &theirs)).expect(0);
    assert_ne!(fs::read(&theirs).unwrap(), archive.as_bytes(), "{env:?}");
    for made in ["a.test", "cpu.out"] {
        fs::remove_file(folder.join(made)).unwrap();
    }
    let name = format!("victim-{env:?}");
    let cached = site.cache().join("go-build/00").join(&name);
    site.run(&[], &["go", "test", "-run=^$", "./a"]).expect(0);
    fs::write(&cached, archive).unwrap();
    fs::set_permissions(&cached, fs::Permissions::from_mode(0o666)).unwrap();
    let victim = format!("VICTIM={}", cached.display());
    let mut inside = site.gosandbox(&["--profile", "ci", "--env", &victim], &words);
    let ended = Ended::of(inside.current_dir(&folder));
    let kept = fs::read(&cached).unwrap();
    fs::remove_file(&cached).unwrap();
    assert_eq!(kept, archive.as_bytes(), "{env:?}");
    match env.has_namespaces() {
        // What the test has staged at the name of go's own file.
        true => ended.expect(125).says("(conflict)"),
        false => ended.expect(0),
    };
}

in_environments!(a_test_cannot_have_go_write_its_binary_through_a_link);

fn a_folder_that_came_with_a_link_cannot_be_put_where_go_writes_a_tests_binary(env: Env) {
    let words = ["go", "test", "-count=1", "-cpuprofile=/dev/null", "."];
    let archive = "!<arch>\n";
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    let cached = site
        .cache()
        .join("go-build/00")
        .join(format!("kept-{env:?}"));
    let project = |victim: &Path| {
        let _none_yet = fs::remove_dir_all(site.work.join("away"));
        let _none_yet = fs::remove_dir_all(site.work.join("a"));
        site.file("a/a_test.go", EXCHANGE);
        site.file("kept/README", "");
        symlink(victim, site.work.join("kept/a.test")).unwrap();
        fs::write(victim, archive).unwrap();
        fs::set_permissions(victim, fs::Permissions::from_mode(0o666)).unwrap();
        site.settle();
    };
    let folder = site.work.join("a");
    let theirs = site.outside.join("victim");
    project(&theirs);
    let mut bare = site.bare(&words);
    bare.current_dir(&folder).env("GOTMPDIR", "/dev/shm");
    Ended::of(&mut bare).expect(0);
    assert_ne!(fs::read(&theirs).unwrap(), archive.as_bytes(), "{env:?}");
    site.run(&[], &["true"]).expect(0);
    fs::create_dir_all(cached.parent().unwrap()).unwrap();
    project(&cached);
    let mut ended = Vec::new();
    for options in [
        &["--profile", "ci"][..],
        &["--profile", "ci", "--stage", "direct"],
        &[],
    ] {
        let mut inside = site.gosandbox(options, &words);
        ended.push(Ended::of(inside.current_dir(&folder)));
    }
    let kept = fs::read(&cached).unwrap();
    fs::remove_file(&cached).unwrap();
    assert_eq!(kept, archive.as_bytes(), "{env:?}");
    // Where programs cannot write the tree that go writes there is no reason to refuse.
    let refused = [!env.has_namespaces(), true, false];
    for (ended, refused) in ended.into_iter().zip(refused) {
        match refused {
            true => ended.expect(125).refused("link-redirects-write"),
            false => ended.expect(0),
        };
    }
}

in_environments!(a_folder_that_came_with_a_link_cannot_be_put_where_go_writes_a_tests_binary);

/// What is found by fuzzing is kept in the build cache, and written there by later runs. The environments share it, so
/// that one comes after the other.
#[test]
fn fuzzing_leaves_no_link_in_its_corpus() {
    let words = ["go", "test", "-run=^$", "-fuzz=.", "-fuzztime=1x", "."];
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
        site.file("corpus_test.go", CORPUS);
        fs::create_dir(site.work.join("testdata")).unwrap();
        site.settle();
        let bare = Ended::of(&mut site.bare(&words)).expect(0);
        bare.says("the link: <nil>");
        let inside = site.run(&[], &words).expect(0);
        inside.says("a file: <nil>").says("permission denied");
    }
}

/// Its temporary folder and HOME are in one mount with `$WORK`, so that it can link its own program there.
#[test]
fn a_test_cannot_link_or_move_between_its_folders_and_those_of_the_go_command() {
    let words = ["go", "test", "-v", "-count=1", "-p=1", "./a", "./b"];
    let project = |site: &Site| {
        site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
        site.file("a/a_test.go", SIBLINGS);
        site.file("b/b.go", "package b\n");
        let b = "package b\n\nimport \"testing\"\n\nfunc TestB(*testing.T) {}\n";
        site.file("b/b_test.go", b);
        site.settle();
    };
    let bare = Site::new(Env::User);
    project(&bare);
    let mut ended = Ended::of(bare.bare(&words).env("TMPDIR", &bare.outside));
    for what in [
        "a file in a sibling's folder",
        "the go command's folder",
        "its own name",
    ] {
        ended = ended.says(&format!("REACHED {what}"));
    }
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        project(&site);
        let ended = site.run(&[], &words).expect(0);
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
    }
}
