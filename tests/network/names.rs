//! Names that nobody has: what a program is told where no name is resolved for it, against what it is told where a
//! name server knows no such name.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::Ended;
use crate::{Env, Scene, apart};

const TEST: [&str; 6] = ["go", "test", "-v", "-count=1", "-buildvcs=false", "."];
const RUN: [&str; 4] = ["go", "run", "-buildvcs=false", "."];
/// A command that is a program itself.
const SHELL: [&str; 3] = [
    "sh",
    "-c",
    "go build -buildvcs=false -o $TMPDIR/names . && exec $TMPDIR/names",
];

fn told(ended: &Ended) -> BTreeSet<String> {
    let lines = ended.stdout.lines();
    let told = lines.filter(|line| line.starts_with("NAME "));
    told.map(str::to_owned).collect()
}

#[test]
fn a_name_that_nobody_has_is_not_found_by_any_function() {
    if !apart::is("names::a_name_that_nobody_has_is_not_found_by_any_function") {
        return;
    }
    apart::set_up(&[]);
    // It knows no name.
    apart::resolve(Arc::new(|_, _| Vec::new()));
    let here = Env::ALL.into_iter().filter(|env| env.is_here());
    for env in here.filter(|env| env.has_namespaces()) {
        let scene = Scene::new(env);
        std::fs::remove_file(scene.site.work.join("main.go")).unwrap();
        scene
            .site
            .file("go.mod", "module example.test/main\n\ngo 1.21\n");
        for (name, content) in [
            ("names.go", include_str!("../fixtures/network/names.go")),
            (
                "names_test.go",
                include_str!("../fixtures/network/names_test.go"),
            ),
        ] {
            scene.site.file(name, content);
        }
        scene.settle();
        let bare = told(&Ended::of(&mut scene.site.bare(&RUN)).expect(0));
        assert_eq!(bare.len(), 24, "{bare:#?}");
        let not_found = " no such host true false false";
        let all = bare.iter().filter(|line| line.ends_with(not_found)).count();
        assert_eq!(all, 21, "the control: {bare:#?}");
        for words in [&TEST[..], &RUN, &SHELL] {
            let inside = scene.run(&["--allow-program=getent"], words).expect(0);
            assert_eq!(told(&inside), bare, "{env:?} {words:?}");
        }
    }
}
