//! What a run uses, and what it has left to be decided.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::support::{Ended, Env, in_environments};
use crate::{Scene, make_old};

fn a_cache_in_use_stays(env: Env) {
    let scene = Scene::new(env);
    let mut command = scene.command("echo kept > \"$XDG_CACHE_HOME/file\"; echo started; read line; cat \"$XDG_CACHE_HOME/file\"");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    make_old(&scene.own());
    assert_eq!(scene.of_kind("project")[0]["in_use"], true);
    scene.cache(&["list"]).expect(0).says("in use");
    for words in [&["clean", "--all"][..], &["clean", "--older", "1d"]] {
        scene.cache(words).expect(0).says("in use");
    }
    scene
        .cache(&["clean", "--project"])
        .expect(125)
        .refused("cache-left");
    assert!(scene.own().join("file").exists());
    if env.has_namespaces() {
        assert!(!scene.of_kind("links").is_empty());
    }
    child.stdin.take().unwrap().write_all(b"on\n").unwrap();
    line.clear();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "kept\n");
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.of_kind("project")[0]["in_use"], false);
    scene.cache(&["clean", "--project"]).expect(0);
    assert!(!scene.own().exists());
}
in_environments!(a_cache_in_use_stays);

#[test]
fn changes_that_nobody_has_applied_are_no_cache() {
    for env in [Env::User, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let scene = Scene::new(env);
        let caches = scene.caches.to_str().unwrap();
        let options = ["-q", "--cache-dir", caches, "--stage", "review"];
        scene
            .site
            .run_apart(&options, &["sh", "-c", "echo new > new"])
            .expect(0);
        scene.cache(&["clean", "--all"]).expect(0);
        let mut apply = scene.site.subcommand(&["changes", "apply"]);
        Ended::of(&mut apply).expect(0);
        assert!(scene.site.work.join("new").exists(), "{env:?}");
    }
}
