//! A test beside the compiler of another package: what go tells that is not the test's to write.

use std::fmt::Write as _;

use crate::support::{Ended, Env, Site};

const TEST: &str = include_str!("../fixtures/arguments_test.go");

/// A package whose compiler needs more arguments than a command line takes, above one that takes so long to
/// compile that a test of a third runs before.
fn project(site: &Site) {
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("a/arguments_test.go", TEST);
    for number in 0..180 {
        let name = format!("b/{}{number}.go", "y".repeat(200));
        site.file(&name, "package b\n");
    }
    let b = "package b\n\nimport _ \"example.com/m/slow\"\n\nconst Says = `honest`\n";
    site.file("b/b.go", b);
    let test = "package b_test\n\nimport (\n\t\"testing\"\n\n\t\"example.com/m/b\"\n)\n\n\
                func TestB(t *testing.T) { t.Log(b.Says) }\n";
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
    // With what the first needs compiled before.
    let first = ["go", "test", "-run=^$", "./a"];
    let words = ["go", "test", "-v", "./a", "./b"];
    let bare = Site::new(Env::E1);
    project(&bare);
    Ended::of(&mut bare.bare(&first)).expect(0);
    Ended::of(&mut bare.bare(&words)).expect(0).says("evil");
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        project(&site);
        site.run(&[], &first).expect(0);
        let ended = site.run(&[], &words).expect(0).says("honest");
        assert!(!ended.stdout.contains("evil"), "{env:?}: {ended:?}");
    }
}
