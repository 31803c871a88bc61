//! Which of Go's own packages the programs' build cache is filled with, so that go commands that a Makefile, a linter or `go
//! generate` runs do not compile the standard library anew for each project.
//!
//! Only Go's own: what other projects have built is nothing for programs to read.

use super::Project;
use super::captured::captured;
use super::errand::Errand;
use super::plan::Prepared;
use crate::go::race;
use crate::go::toolchain::Toolchain;
use crate::host::Host;

/// Lists Go's own packages that the project's packages and tests import.
const NEEDED: [&str; 7] = [
    "list",
    "-e",
    "-deps",
    "-test",
    "-buildvcs=false",
    "-f={{if .Standard}}{{.ImportPath}}{{end}}",
    "./...",
];

/// Compiles packages that are not in the build cache, and says where in it they are.
const COMPILED: [&str; 5] = [
    "list",
    "-export",
    "-buildvcs=false",
    "-f={{if .Export}}{{.BuildID}} {{.Export}} {{.ImportPath}}{{end}}",
    "--",
];

/// Has the build cache of programs filled, where the command is likely to use it and it was not filled before. Without that
/// it compiles anew what it needs.
pub(super) fn prepare(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &mut Prepared<'_>,
    toolchain: &Toolchain,
) {
    if !prepared.wants_seed(host) {
        return;
    }
    let who = prepared.who().clone();
    let mut ask = |words: &[&str]| {
        let errand = Errand {
            project: *project,
            who: who.clone(),
            toolchain,
            words,
            cgo: false,
        };
        let said = captured(|| errand.run(host)).ok();
        said.map(|said| said.stdout).unwrap_or_default()
    };
    let needed = ask(&NEEDED);
    // What is compiled for a test alone has a name with a blank.
    let packages = needed
        .lines()
        .filter(|line| !line.is_empty() && !line.contains(' '));
    let packages: Vec<&str> = packages.collect();
    if packages.is_empty() {
        return;
    }
    let said = ask(&[&COMPILED, packages.as_slice()].concat());
    let compiled = race::compiled(&said).unwrap_or_default();
    prepared.set_seed(compiled.into_iter().map(|one| one.entry).collect());
}
