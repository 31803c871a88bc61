//! Commands that fetch a program and run it.

use crate::{Env, Scene};

const PROGRAM: &str = "package main\n\nimport \"net\"\n\nfunc main() {\n\t_, err := net.Dial(\"tcp\", \"127.0.0.1:9419\")\n\tprintln(\"fetched and run\", err != nil)\n}\n";

/// A module with a program, which says whether the gateway's port is out of its reach.
fn with_program(env: Env) -> Scene {
    let scene = Scene::new(env);
    let files = [
        ("go.mod", "module example.test/tools\n\ngo 1.21\n"),
        ("say/main.go", PROGRAM),
    ];
    scene.modules.add("example.test/tools", "v1.0.0", &files);
    scene.settle();
    scene
}

#[test]
fn go_run_of_a_version_fetches_and_the_program_has_no_way_out() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = with_program(env);
        let words = ["go", "run", "example.test/tools/say@v1.0.0"];
        scene
            .run(&[], &words)
            .expect(0)
            .says("fetched and run true");
    }
}

#[test]
fn go_install_of_a_version_fetches_and_leaves_the_program_where_bare_go_does() {
    let scene = with_program(Env::User);
    let words = ["go", "install", "example.test/tools/say@v1.0.0"];
    scene.run(&[], &words).expect(0);
    assert!(scene.site.home.join("go/bin/say").exists());
}

#[test]
fn a_tool_that_is_missing_is_fetched_first_and_runs_without_network() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = with_program(env);
        let words = ["go", "get", "-tool", "example.test/tools/say@v1.0.0"];
        scene.run(&[], &words).expect(0);
        scene.forget();
        scene.site.warm_cache_of_home();
        let ended = scene.run(&[], &["go", "tool", "say"]).expect(0);
        ended.says("fetched and run true");
    }
}
