//! Names that nobody has: what a program is told where no name is resolved for it, against what it is told where a
//! name server knows no such name.

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
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
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = Scene::new(env);
        scene.program(
            "names",
            include_str!("../fixtures/network/names.go"),
            include_str!("../fixtures/network/names_test.go"),
        );
        scene.settle();
        let bare = told(&Ended::of(&mut scene.site.bare(&RUN)).expect(0));
        assert_eq!(bare.len(), 24, "{bare:#?}");
        let is_not_found = |line: &&String| line.ends_with(" no such host true false false");
        let all = bare.iter().filter(is_not_found).count();
        assert_eq!(all, 21, "the control: {bare:#?}");
        for words in [&TEST[..], &RUN, &SHELL] {
            let inside = scene.run(&["--allow-program=getent"], words).expect(0);
            let inside = told(&inside);
            if env.has_namespaces() {
                assert_eq!(inside, bare, "{env:?} {words:?}");
                continue;
            }
            // Programs see the host's resolv.conf there: each of its servers is out of reach, by a temporary error.
            let others = bare.iter().filter(|line| !is_not_found(line));
            let others: BTreeSet<_> = others.filter(|line| !line.contains("getent")).collect();
            assert!(
                others.iter().all(|line| inside.contains(*line)),
                "{env:?}: {inside:#?}"
            );
            let temporary = inside
                .iter()
                .filter(|line| line.ends_with(" false true false"));
            assert_eq!(temporary.count(), 21, "{env:?}: {inside:#?}");
        }
    }
}

/// What a program sends to whoever answers hinders no later question, and reaches nothing else.
#[test]
fn hostile_questions_stop_nothing_and_the_way_to_init_is_out_of_reach() {
    let test = "names::hostile_questions_stop_nothing_and_the_way_to_init_is_out_of_reach";
    if !apart::is(test) {
        return;
    }
    apart::set_up(&[]);
    apart::resolve(Arc::new(|_, _| Vec::new()));
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let sink = nobody.local_addr().unwrap().to_string();
    // Without gosandbox there is such a socket to reach.
    let name = SocketAddr::from_abstract_name("gosandbox-names").unwrap();
    let _decoy = UnixDatagram::bind_addr(&name).unwrap();
    let here = Env::ALL.into_iter().filter(|env| env.is_here());
    for env in here.filter(|env| env.has_namespaces()) {
        let scene = Scene::new(env);
        scene
            .site
            .file("go.mod", "module example.test/main\n\ngo 1.22\n");
        let program = include_str!("../fixtures/network/hostile_names.go");
        scene.site.file("main.go", program);
        scene.settle();
        let mut bare = scene.site.bare(&RUN);
        let bare = Ended::of(bare.env("SERVER", &sink)).expect(0);
        assert_eq!(bare.stdout, "NAME true\nREACHED @gosandbox-names\n");
        for words in [&RUN[..], &SHELL] {
            let inside = scene.run(&["--env=SERVER=127.0.0.53:53"], words).expect(0);
            assert_eq!(inside.stdout, "NAME true\n", "{env:?} {words:?}");
        }
    }
}
